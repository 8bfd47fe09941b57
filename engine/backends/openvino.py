"""Inference with OpenVINO, the default on CPUs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import openvino
from openvino.preprocess import ColorFormat, PrePostProcessor

from ..errors import BadInput
from ..model import InputFacts, ModelFacts, read_facts
from ..preprocess import network_pixels
from ..tracing import span
from ..types import Floats, Image
from .base import Backend


class OpenVINOBackend(Backend):
    """A model compiled for the CPU: bf16 where the processor multiplies it, fp32 otherwise.

    A detector is compiled to take frames as bytes: changing colour order, scaling and
    transposing them is part of the network. Its arrays for `infer` need another compilation,
    which comes when they do. Faces are small, and nothing is won with them.
    """

    def __init__(self, path: Path, facts: ModelFacts) -> None:
        self.facts = facts
        self.precision = "bf16" if has_bf16() else "fp32"
        self._path = path
        self._pixels: Any = None
        self._arrays: Any = None
        size = facts.input
        if facts.detector:
            self._pixels = _request(path, self.precision, size)
            self._frame = np.empty((size.height, size.width, size.channels), np.uint8)
        else:
            self._arrays = _request(path, self.precision, None)

    @classmethod
    def open(cls, path: Path) -> OpenVINOBackend:
        """Load the model at `path`; see `Backend.open`."""
        return cls(path, read_facts(path))

    def infer(self, inputs: Mapping[str, Floats]) -> dict[str, Floats]:
        """Run the network once; see `Backend.infer`."""
        if self._arrays is None:
            self._arrays = _request(self._path, self.precision, None)
        return _outputs(self._arrays, dict(inputs))

    def infer_frame(self, image: Image) -> dict[str, Floats]:
        """Run a detector on a whole frame; see `Backend.infer_frame`."""
        with span("preprocess"):
            pixels = network_pixels(image, self.facts.input, self._frame)
        with span("detect"):
            return _outputs(self._pixels, [pixels])

    def close(self) -> None:
        """Give the model's memory back; may be called twice."""
        self._pixels = self._arrays = None


def _request(path: Path, precision: str, pixels: InputFacts | None) -> Any:
    """An inference request of the compiled network.

    Args:
        path: of the ONNX file.
        precision: `bf16` or `fp32`.
        pixels: makes the network take uint8 `(n, h, w, c)` and scale it as these facts say;
            None takes what the file says.
    """
    hint = {"bf16": openvino.Type.bf16, "fp32": openvino.Type.f32}[precision]
    options = {"INFERENCE_PRECISION_HINT": hint, "PERFORMANCE_HINT": "LATENCY"}
    core = openvino.Core()
    try:
        model = core.read_model(str(path))
        if pixels is not None:
            model = _with_scaling(model, pixels)
        return core.compile_model(model, "CPU", options).create_infer_request()
    except Exception as error:  # damaged files raise errors of many kinds
        reason = str(error).strip().splitlines()[-1]
        raise BadInput(f"{path}: OpenVINO cannot load it ({reason})") from error


def _with_scaling(model: Any, facts: InputFacts) -> Any:
    """The model with uint8 `(n, h, w, c)` in BGR or gray as its input."""
    building = PrePostProcessor(model)
    image = building.input()
    image.tensor().set_element_type(openvino.Type.u8).set_layout(openvino.Layout("NHWC"))
    image.model().set_layout(openvino.Layout("NCHW"))
    steps = image.preprocess().convert_element_type(openvino.Type.f32)
    if facts.colour == "rgb":
        image.tensor().set_color_format(ColorFormat.BGR)
        steps.convert_color(ColorFormat.RGB)
    steps.mean(_alike(facts.mean)).scale(_alike([1 / value for value in facts.scale]))
    return building.build()


def _alike(channels: Sequence[float]) -> float | list[float]:
    """One number where the channels agree: over rows of pixels, not three values at a time."""
    return channels[0] if len(set(channels)) == 1 else list(channels)


def _outputs(request: Any, inputs: Any) -> dict[str, Floats]:
    results = request.infer(inputs, share_inputs=True, share_outputs=True)
    return {output.get_any_name(): np.array(value) for output, value in results.items()}


def has_bf16() -> bool:
    """Say whether this processor multiplies bf16 in hardware (Intel AMX, or AVX512-BF16).

    On a Zen 4 without AMX bf16 takes 17 ms where fp32 takes 41 (detector, two threads).
    """
    cpuinfo = Path("/proc/cpuinfo")
    if not cpuinfo.is_file():
        return False
    return bool({"amx_bf16", "avx512_bf16"} & set(cpuinfo.read_text(errors="replace").split()))
