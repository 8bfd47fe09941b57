"""ONNX Runtime's CUDA provider, the way to a GPU without TensorRT."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import ExitStack
from typing import Any

from fer_edge.engine.backends import Backend, open_backend
from fer_edge.engine.backends.onnxruntime import ONNXRuntimeBackend
from fer_edge.engine.classifier import ExpressionClassifier
from fer_edge.engine.config import EXPRESSION_FILE, shipped_weights
from fer_edge.engine.detector import Detector

from . import Skipped
from .models import DETECTORS, MODELS, pictures
from .parity import LEAST_SCORE, compare


def check(options: Any) -> dict[str, Any]:
    """Its answers against those of the same library on the CPU."""
    try:
        import onnxruntime
    except ImportError as error:
        raise Skipped("ONNX Runtime is not installed") from error
    if "CUDAExecutionProvider" not in onnxruntime.get_available_providers():
        raise Skipped("this ONNX Runtime was built without CUDA")
    images = pictures(options.photos)
    with ExitStack() as opened:
        ours = {name: open_backend(shipped_weights(name), "onnxruntime") for name in MODELS}
        for backend in ours.values():
            opened.callback(backend.close)
        if {backend.device for backend in ours.values()} != {"CUDA"}:
            raise AssertionError("the CUDA provider left the models to the CPU")
        theirs = {name: _on_cpu(name) for name in MODELS}
        return {
            name: compare(_stages(ours, name), _stages(theirs, name), images) for name in DETECTORS
        }


def _stages(backends: Mapping[str, Backend], name: str) -> Any:
    return Detector(backends[name], LEAST_SCORE), ExpressionClassifier(backends[EXPRESSION_FILE])


def _on_cpu(name: str) -> ONNXRuntimeBackend:
    import onnxruntime

    from fer_edge.engine.model import read_facts

    path = shipped_weights(name)
    session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    return ONNXRuntimeBackend(session, read_facts(path), 0)
