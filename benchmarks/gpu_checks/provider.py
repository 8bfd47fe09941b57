"""ONNX Runtime's CUDA provider, the way to a GPU without TensorRT."""

from __future__ import annotations

from contextlib import ExitStack
from typing import Any

from fer_edge.engine.backends.onnxruntime import ONNXRuntimeBackend
from fer_edge.engine.classifier import ExpressionClassifier
from fer_edge.engine.config import DETECTOR_FILE, EXPRESSION_FILE, shipped_weights
from fer_edge.engine.detector import Detector

from . import Skipped
from .models import pictures
from .parity import LEAST_SCORE, compare


def check(options: Any) -> dict[str, Any]:
    """Its answers against those of the same library on the CPU."""
    try:
        import onnxruntime
    except ImportError as error:
        raise Skipped("ONNX Runtime is not installed") from error
    if "CUDAExecutionProvider" not in onnxruntime.get_available_providers():
        raise Skipped("this ONNX Runtime was built without CUDA")
    with ExitStack() as opened:
        names = DETECTOR_FILE, EXPRESSION_FILE
        ours = [opened.enter_context(ONNXRuntimeBackend.open(shipped_weights(n))) for n in names]
        if {backend.device for backend in ours} != {"CUDA"}:
            raise AssertionError("the CUDA provider left the models to the CPU")
        theirs = [opened.enter_context(_on_cpu(name)) for name in names]
        return compare(_stages(ours), _stages(theirs), pictures(options.photos))


def _stages(backends: Any) -> Any:
    return Detector(backends[0], LEAST_SCORE), ExpressionClassifier(backends[1])


def _on_cpu(name: str) -> ONNXRuntimeBackend:
    import onnxruntime

    from fer_edge.engine.model import read_facts

    path = shipped_weights(name)
    session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    return ONNXRuntimeBackend(session, read_facts(path), 1)
