"""The content of an engine file out of that of an ONNX file."""

from __future__ import annotations

import hashlib
from dataclasses import replace

from ..cuda.gpu import GPU
from ..engine_file import EngineFacts, to_bytes
from ..model import ModelFacts
from .build import build_engine
from .libraries import Library
from .log import open_log
from .options import EngineOptions
from .reached import check_reached, inspected, reached_precision


def engine_bytes(
    name: str,
    onnx: bytes,
    facts: ModelFacts,
    library: Library,
    options: EngineOptions,
    gpu: GPU | None,
) -> tuple[EngineFacts, bytes]:
    """Build an engine that says what it is.

    Args:
        name, onnx: of the ONNX file, and its content.
        facts: of the model in it.
        library: that shall run the engine.
        options: of the build; where they name no GPUs, it is for `gpu`.
        gpu: the GPU at hand, or None where `options` name others.

    Raises:
        BadInput: see `build_engine`; or the engine fell back to another precision, which can
            be seen on the GPU that it is for; or the model does not take the size.
    """
    facts = sized_facts(facts, options.size)
    payload = build_engine(onnx, facts, library, options)
    if gpu is not None and not options.capabilities:
        _check_precision(payload, facts, library, options)
    about = EngineFacts(
        target=options.target,
        version=library.version,
        precision=facts.precision,
        onnx_name=name,
        onnx_sha256=hashlib.sha256(onnx).hexdigest(),
        compute_capabilities=options.capabilities or ((gpu.capability,) if gpu else ()),
        gpu=None if options.capabilities or gpu is None else gpu.name,
        batch=options.batch if facts.kind == "expression" else (1, 1, 1),
        version_compatible=options.version_compatible,
        hardware_compatible=options.hardware_compatible,
        size=options.size,
    )
    return about, to_bytes(facts.without_label_head(), about, payload)


def sized_facts(facts: ModelFacts, size: tuple[int, int] | None) -> ModelFacts:
    """The facts of an engine, whose input is of one size.

    Args:
        facts: of the model.
        size: (width, height); None for the model's own.

    Raises:
        BadInput: a size that the model does not take.
    """
    see = facts.input if size is None else facts.input.of_size(*size)
    return replace(facts, input=replace(see, step=0))


def _check_precision(
    payload: bytes, facts: ModelFacts, library: Library, options: EngineOptions
) -> None:
    """Read back what the builder made of the network."""
    runtime = library.module.Runtime(open_log(library.module))
    if options.version_compatible:
        runtime.engine_host_code_allowed = True
    engine = runtime.deserialize_cuda_engine(payload)
    if engine is not None:
        found = reached_precision(inspected(library.module, engine))
        check_reached(found, facts.precision, facts.source_name)
