"""Engines for this GPU, by every TensorRT that is installed."""

from __future__ import annotations

from pathlib import Path
from time import perf_counter
from typing import Any

from fer_edge.engine.config import EXPRESSION_FILE, shipped_weights
from fer_edge.engine.cuda.gpu import GPU, present_gpu
from fer_edge.engine.engine_file import Target
from fer_edge.engine.errors import BackendUnavailable, FerError
from fer_edge.engine.model import read_facts
from fer_edge.engine.plans.candidates import find_variants
from fer_edge.engine.tensorrt.build import build_engine
from fer_edge.engine.tensorrt.engine_build import engine_bytes
from fer_edge.engine.tensorrt.find import fitted
from fer_edge.engine.tensorrt.libraries import LIBRARIES, Library, load_library
from fer_edge.engine.tensorrt.log import open_log
from fer_edge.engine.tensorrt.options import EngineOptions
from fer_edge.engine.tensorrt.reached import inspected, reached_precision

from . import Skipped
from .models import MODELS, engine_place


def check(options: Any) -> dict[str, Any]:
    """Build all models for the GPU at hand and load them; what is accepted, and what is not.

    Of each network all precisions that ship; detectors whose size is open for their own.

    The engines are left in `options.work` for the checks behind.
    """
    gpu = present_gpu()
    if gpu is None:
        raise Skipped("no NVIDIA GPU or driver here")
    facts: dict[str, Any] = {}
    missing = []
    for target in LIBRARIES:
        try:
            library = load_library(target)
            library.check_gpu(gpu)
        except BackendUnavailable as error:
            missing.append(str(error))
            continue
        facts[target] = _of(library, target, gpu, options.work)
    if not facts:
        raise Skipped("; ".join(missing))
    if not any(product["built"] for product in facts.values()):
        reasons = {name: product["refused"] for name, product in facts.items()}
        raise AssertionError(f"no engine for SM {gpu.capability}: {reasons}")
    return {"capability": gpu.capability, **facts}


def _of(library: Library, target: Target, gpu: GPU, folder: Path) -> dict[str, Any]:
    found: dict[str, Any] = {"version": library.version, "built": {}, "refused": {}}
    for name in _files():
        path = shipped_weights(name)
        facts = read_facts(path)
        options = fitted(EngineOptions(target), facts)
        started = perf_counter()
        try:
            _, data = engine_bytes(name, path.read_bytes(), facts, library, options, gpu)
        except FerError as error:
            found["refused"][name] = str(error)
            continue
        engine_place(folder, target, name).write_bytes(data)
        found["built"][name] = {"seconds": perf_counter() - started, "bytes": len(data)}
    found["reached"] = _reached(library, folder, target)
    if target == "tensorrt-rtx":
        found["engines of other GPUs"] = _validity(library)
    return found


def _files() -> list[str]:
    """Those of all models, and of the same networks in other precisions."""
    found = []
    for name in MODELS:
        path = shipped_weights(name)
        found += [variant.file or name for variant in find_variants(path, read_facts(path))]
    return found


def _reached(library: Library, folder: Path, target: Target) -> dict[str, Any]:
    """What the inspector says of each engine."""
    from fer_edge.engine.engine_file import read_engine

    found = {}
    for place in sorted(folder.glob(f"{target}-*.engine")):
        log = open_log(library.module)
        runtime = library.module.Runtime(log)
        engine = runtime.deserialize_cuda_engine(read_engine(place).payload)
        if engine is None:
            raise AssertionError(f"{place.name} was built and cannot be loaded: {log.reason()}")
        found[place.name] = reached_precision(inspected(library.module, engine))
    return found


def _validity(library: Library) -> dict[str, str]:
    """Which of TensorRT-RTX's own targets it would run here, in its own words."""
    trt = library.module
    path = shipped_weights(EXPRESSION_FILE)
    found = {}
    for name in trt.ComputeCapability.__members__:
        if not name.startswith("SM"):
            continue
        options = EngineOptions("tensorrt-rtx", capabilities=(f"{name[2:-1]}.{name[-1]}",))
        try:
            data = build_engine(path.read_bytes(), read_facts(path), library, options)
            validity, bits = trt.Runtime(open_log(trt)).get_engine_validity(data)
        except FerError as error:
            found[name] = str(error)
            continue
        reasons = trt.EngineInvalidityDiagnostics.__members__.items()
        because = [why for why, value in reasons if int(bits) & int(value)]
        found[name] = " ".join([validity.name, *because])
    return found
