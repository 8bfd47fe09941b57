"""Inference with ONNX Runtime: on CUDA where it was built for it, else the portable CPU."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime

from ..cores import physical_cores
from ..errors import BadInput, last_line
from ..model import InputFacts, ModelFacts, read_facts
from ..preprocess import network_pixels, scaled
from ..tracing import span
from ..types import Floats, Image
from .base import Backend
from .plan import Plan
from .sizes import BySize

# The best first. Those that an installation lacks are left out.
PROVIDERS = {"CUDAExecutionProvider": "CUDA", "CPUExecutionProvider": "CPU"}


class ONNXRuntimeBackend(Backend):
    """A model in an ONNX Runtime session, on the best provider that there is.

    A session takes inputs of any size that the file leaves open: one made for a size was not
    faster (CenterFace, 320x256).
    """

    def __init__(self, session: Any, facts: ModelFacts, threads: int) -> None:
        self.facts = facts
        # A provider that finds no device leaves the model to the next one.
        device = PROVIDERS[session.get_providers()[0]]
        threads = threads if device == "CPU" else 0
        self.plan = Plan("onnxruntime", device, facts.precision, threads)
        self._session: Any = session
        self._names = [output.name for output in session.get_outputs()]
        # Filled again and again.
        self._memory = BySize(_Memory)

    @classmethod
    def open(cls, path: Path, plan: Plan | None = None) -> ONNXRuntimeBackend:
        """Load the model at `path`; see `Backend.open`."""
        facts = read_facts(path)
        device = plan.device if plan else ""
        # Left to itself it binds threads to cores, which fails where some are not to be used.
        threads = (plan.threads if plan else 0) or physical_cores()
        options = onnxruntime.SessionOptions()
        options.log_severity_level = 3
        options.intra_op_num_threads = threads
        # Threads that spin while they wait take their cores from the other network and the tracker.
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
        providers = _available(device)
        try:
            session = onnxruntime.InferenceSession(str(path), options, providers=providers)
        except Exception as error:  # its exceptions share no base class below Exception
            reason = last_line(error)
            raise BadInput(f"{path}: ONNX Runtime cannot load it ({reason})") from error
        return cls(session, facts, threads)

    def infer(self, inputs: Mapping[str, Floats]) -> dict[str, Floats]:
        """Run the network once; see `Backend.infer`."""
        outputs = self._session.run(self._names, dict(inputs))
        # As they come they keep the session's memory from being given back, all of it.
        return {name: np.array(value) for name, value in zip(self._names, outputs, strict=True)}

    def infer_frame(self, image: Image, see: InputFacts | None = None) -> dict[str, Floats]:
        """Run a detector on a whole frame; see `Backend.infer_frame`.

        The frame is resized as bytes, which takes a third of the time of floats.
        """
        facts = see or self.facts.input
        memory = self._memory(facts)
        with span("preprocess"):
            scaled(network_pixels(image, facts, memory.pixels), facts, memory.planes)
        with span("detect"):
            return self.infer({facts.name: memory.planes})

    def close(self) -> None:
        """Give the model's memory back; may be called twice."""
        self._session = None
        self._memory.clear()


class _Memory:
    """Room for a frame in an input's size.

    Attributes:
        pixels: uint8 `(height, width, channels)`.
        planes: float32 `(1, channels, height, width)`.
    """

    def __init__(self, facts: InputFacts) -> None:
        self.pixels: Image = np.empty((facts.height, facts.width, facts.channels), np.uint8)
        self.planes: Floats = np.empty((1, facts.channels, facts.height, facts.width), np.float32)


def _available(device: str) -> list[str]:
    """The providers for a device; all that there are where none is named."""
    installed = onnxruntime.get_available_providers()
    named = [name for name in PROVIDERS if name in installed and PROVIDERS[name] == device]
    return named or [name for name in PROVIDERS if name in installed]
