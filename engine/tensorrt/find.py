"""From the file that a user names to an engine that this machine runs."""

from __future__ import annotations

import hashlib
import logging
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path
from time import perf_counter

from ..cuda.gpu import GPU
from ..engine_file import Engine, Target, check_runs_on, is_engine, read_engine
from ..errors import BackendUnavailable, BadInput, OutputNotWritable
from ..model import ModelFacts, read_facts
from .cache import CacheKey, cached_path, keep, own_folder
from .engine_build import engine_bytes
from .libraries import LIBRARIES, Library, load_library, load_runtime
from .options import EngineOptions

log = logging.getLogger(__name__)


def find_engine(path: Path, gpu: GPU, size: tuple[int, int] | None = None) -> tuple[Path, Engine]:
    """The engine that a file is, or that can be made of it.

    An engine that is damaged, or of another library or GPU, is built anew from the ONNX file
    beside it; one line is logged then. What is built is kept in the user's cache, and the
    user's own files stay as they are.

    Args:
        path: an engine or an ONNX file, both of fer-convert.
        gpu: the GPU at hand.
        size: (width, height) that an ONNX file, whose own is open, shall be built for; None for
            the one it names.

    Returns:
        (the file it is in, the engine).

    Raises:
        InputNotFound: no file at `path`.
        BadInput: it cannot be used, and there is nothing to build it anew from.
        BackendUnavailable: no library for it is installed, or it does not run on `gpu`.
    """
    if not is_engine(path):
        return engine_of_onnx(path, gpu, EngineOptions(installed_target(), size=size))
    try:
        engine = read_engine(path)
    except BadInput as error:
        # What it was built from stands in its header, which may be what is damaged.
        return _rebuilt(path, path.with_suffix(".onnx"), None, gpu, error)
    about = engine.engine
    try:
        library = load_runtime(about.target, about.version_compatible)
        # Before an engine for another GPU is called for, which would not run either.
        library.check_gpu(gpu)
        check_runs_on(path, about, library.version, gpu.capability)
    except BadInput as error:
        return _rebuilt(path, path.with_name(about.onnx_name), engine, gpu, error)
    return path, engine


def engine_of_onnx(path: Path, gpu: GPU, options: EngineOptions) -> tuple[Path, Engine]:
    """The engine of an ONNX file out of the cache, built first where it is not there.

    Raises:
        InputNotFound: no file at `path`.
        BadInput: fer-convert did not write it, or the library refuses it.
        BackendUnavailable: the library is not installed, or does not run on `gpu`.
        OutputNotWritable: the cache cannot be written to, or is open to others.
    """
    facts = read_facts(path)
    library = load_library(options.target)
    library.check_gpu(gpu)
    onnx = path.read_bytes()
    options = fitted(options, facts)
    key = CacheKey(hashlib.sha256(onnx).hexdigest(), library.version, gpu, facts.precision, options)
    place = cached_path(path, key)
    if place.is_file():
        _check_folder(place.parent)
        try:
            return place, _same(place, read_engine(place), key)
        except BadInput as error:
            log.warning("%s; building it anew", error)
    engine = "engine" if options.size is None else "{}x{} engine".format(*options.size)
    log.warning("%s: building its %s for %s, once", path, engine, _describe(library, gpu))
    started = perf_counter()
    _, data = engine_bytes(path.name, onnx, facts, library, options, gpu)
    keep(place, data)
    log.info("%s: built in %.1f s", place, perf_counter() - started)
    return place, read_engine(place)


def installed_target() -> Target:
    """The TensorRT that is installed; the full one before TensorRT-RTX.

    Raises:
        BackendUnavailable: neither is.
    """
    for target, (module, _) in LIBRARIES.items():
        if find_spec(module) is not None:
            return target
    raise BackendUnavailable(
        "neither TensorRT nor TensorRT-RTX is installed: "
        + "; or ".join(install for _, install in LIBRARIES.values())
    )


def check_builds(gpu: GPU) -> None:
    """Make sure that engines can be built for a GPU, and run on it.

    Raises:
        BackendUnavailable: no library is installed, or it does not run on that GPU.
    """
    load_library(installed_target()).check_gpu(gpu)


def fitted(options: EngineOptions, facts: ModelFacts) -> EngineOptions:
    """The options as a model has them: a detector takes one frame at a time, and an open size
    is chosen at last.

    Raises:
        BadInput: a size that the model does not take.
    """
    see, size = facts.input, None
    if options.size is not None:
        see = see.of_size(*options.size)
    if see.step:
        size = see.width, see.height
    batch = options.batch if facts.kind == "expression" else (1, 1, 1)
    return replace(options, batch=batch, size=size)


def _rebuilt(
    path: Path, onnx: Path, engine: Engine | None, gpu: GPU, reason: BadInput
) -> tuple[Path, Engine]:
    """Build anew, or pass on the reason where there is nothing to build from."""
    if not onnx.is_file():
        raise reason
    options = EngineOptions(installed_target())
    if engine is not None:
        about = engine.engine
        if hashlib.sha256(onnx.read_bytes()).hexdigest() != about.onnx_sha256:
            # Another model of that name must not pass for this one.
            raise reason
        options = replace(
            options,
            target=about.target,
            batch=about.batch,
            size=about.size,
            version_compatible=about.version_compatible,
            hardware_compatible=about.hardware_compatible,
        )
    log.warning("%s; using %s instead", reason, onnx)
    return engine_of_onnx(onnx, gpu, options)


def _same(place: Path, engine: Engine, key: CacheKey) -> Engine:
    """Make sure that a file in the cache is what its name says."""
    about = engine.engine
    found = about.onnx_sha256, about.version, about.size
    if found != (key.onnx_sha256, key.version, key.options.size):
        raise BadInput(f"{place}: holds another engine than its name says")
    return engine


def _check_folder(folder: Path) -> None:
    try:
        own_folder(folder)
    except OutputNotWritable:
        raise
    except OSError as error:
        raise OutputNotWritable(f"{folder}: cannot be used ({error.strerror})") from error


def _describe(library: Library, gpu: GPU) -> str:
    return f"{gpu.name} with {library.product} {library.version}"
