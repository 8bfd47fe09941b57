"""Inference with ONNX Runtime: on CUDA where it was built for it, else the portable CPU."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import onnxruntime

from ..errors import BadInput
from ..model import ModelFacts, read_facts
from ..types import Floats
from .base import Backend

# The best first. Those that an installation lacks are left out.
PROVIDERS = {"CUDAExecutionProvider": "CUDA", "CPUExecutionProvider": "CPU"}


class ONNXRuntimeBackend(Backend):
    """A model in an ONNX Runtime session, on the best provider that there is."""

    def __init__(self, session: Any, facts: ModelFacts) -> None:
        self.facts = facts
        self.precision = facts.precision
        # A provider that finds no device leaves the model to the next one.
        self.device = PROVIDERS[session.get_providers()[0]]
        self._session: Any = session
        self._names = [output.name for output in session.get_outputs()]

    @classmethod
    def open(cls, path: Path) -> ONNXRuntimeBackend:
        """Load the model at `path`; see `Backend.open`."""
        facts = read_facts(path)
        options = onnxruntime.SessionOptions()
        options.log_severity_level = 3
        try:
            session = onnxruntime.InferenceSession(str(path), options, providers=_available())
        except Exception as error:  # its exceptions share no base class below Exception
            reason = str(error).strip().splitlines()[-1]
            raise BadInput(f"{path}: ONNX Runtime cannot load it ({reason})") from error
        return cls(session, facts)

    def infer(self, inputs: Mapping[str, Floats]) -> dict[str, Floats]:
        """Run the network once; see `Backend.infer`."""
        outputs = self._session.run(self._names, dict(inputs))
        return dict(zip(self._names, outputs, strict=True))

    def close(self) -> None:
        """Give the model's memory back; may be called twice."""
        self._session = None


def _available() -> list[str]:
    installed = onnxruntime.get_available_providers()
    return [name for name in PROVIDERS if name in installed]
