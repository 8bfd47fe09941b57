"""The content of an engine file out of that of an ONNX file."""

from __future__ import annotations

import hashlib

from ..cuda.gpu import GPU
from ..engine_file import EngineFacts, to_bytes
from ..model import ModelFacts
from .build import build_engine
from .libraries import Library
from .options import EngineOptions


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
        BadInput: see `build_engine`.
    """
    payload = build_engine(onnx, facts, library, options)
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
    )
    return about, to_bytes(facts, about, payload)
