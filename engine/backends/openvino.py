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
from ..preprocess import face_inputs, network_pixels
from ..tracing import span
from ..types import Boxes, Floats, Image
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
        self._pixels: _Request | None = None
        self._arrays: _Request | None = None
        size = facts.input
        # Filled again and again.
        self._frame = np.empty((size.height, size.width, size.channels), np.uint8)
        self._faces = np.empty((0, size.channels, size.height, size.width), np.float32)
        if facts.detector:
            self._pixels = _Request(path, self.precision, size)
        else:
            self._arrays = _Request(path, self.precision, None)

    @classmethod
    def open(cls, path: Path) -> OpenVINOBackend:
        """Load the model at `path`; see `Backend.open`."""
        return cls(path, read_facts(path))

    def infer(self, inputs: Mapping[str, Floats]) -> dict[str, Floats]:
        """Run the network once; see `Backend.infer`."""
        return self._of_arrays().infer(inputs)

    def infer_frame(self, image: Image, see: InputFacts | None = None) -> dict[str, Floats]:
        """Run a detector on a whole frame; see `Backend.infer_frame`."""
        if see not in (None, self.facts.input):
            return super().infer_frame(image, see)
        assert self._pixels is not None, "only open detectors see frames"
        with span("preprocess"):
            network_pixels(image, self.facts.input, self._frame)
        with span("detect"):
            return self._pixels.infer_from(self._frame[None])

    def infer_faces(self, image: Image, boxes: Boxes) -> dict[str, Floats]:
        """Run an expression model on the faces of a frame; see `Backend.infer_faces`."""
        facts, expression = self.facts.input, self.facts.expression
        assert expression is not None, "only expression models see faces"
        with span("crop"):
            if len(boxes) > len(self._faces):
                self._faces = np.empty((2 * len(boxes), *self._faces.shape[1:]), np.float32)
            faces = self._faces[: len(boxes)]
            face_inputs(image, boxes, facts, expression.crop_scale, faces)
        with span("classify"):
            return self._of_arrays().infer_from(faces)

    def close(self) -> None:
        """Give the model's memory back; may be called twice."""
        self._pixels = self._arrays = None

    def _of_arrays(self) -> _Request:
        if self._arrays is None:
            self._arrays = _Request(self._path, self.precision, None)
        return self._arrays


class _Request:
    """A request of inference, whose input stays bound to memory that is used again.

    Finding out what an input is takes OpenVINO a tenth of the time of a small network.

    Args:
        path: of the ONNX file.
        precision: `bf16` or `fp32`.
        pixels: makes the network take uint8 `(n, h, w, c)` and scale it as these facts say;
            None takes what the file says.
    """

    def __init__(self, path: Path, precision: str, pixels: InputFacts | None) -> None:
        compiled = _compiled(path, precision, pixels)
        self._request = compiled.create_infer_request()
        self._names = [output.get_any_name() for output in compiled.outputs]
        self._bound: tuple[int, tuple[int, ...]] | None = None

    def infer(self, inputs: Mapping[str, Floats]) -> dict[str, Floats]:
        """Run on arrays that are not kept."""
        self._bound = None
        return self._answer(
            self._request.infer(dict(inputs), share_inputs=True, share_outputs=True)
        )

    def infer_from(self, memory: Image | Floats) -> dict[str, Floats]:
        """Run on the only input, C-contiguous, which is to live on and may be filled anew."""
        place = memory.ctypes.data, memory.shape
        if place != self._bound:
            self._request.set_input_tensor(openvino.Tensor(memory, shared_memory=True))
            self._bound = place
        return self._answer(self._request.infer(share_outputs=True))

    def _answer(self, results: Mapping[Any, Floats]) -> dict[str, Floats]:
        return {
            name: np.array(value) for name, value in zip(self._names, results.values(), strict=True)
        }


def _compiled(path: Path, precision: str, pixels: InputFacts | None) -> Any:
    """The network, compiled; see `_Request`."""
    hint = {"bf16": openvino.Type.bf16, "fp32": openvino.Type.f32}[precision]
    options = {"INFERENCE_PRECISION_HINT": hint, "PERFORMANCE_HINT": "LATENCY"}
    core = openvino.Core()
    try:
        model = core.read_model(str(path))
        if pixels is not None:
            model = _with_scaling(model, pixels)
        return core.compile_model(model, "CPU", options)
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


def has_bf16() -> bool:
    """Say whether this processor multiplies bf16 in hardware (Intel AMX, or AVX512-BF16).

    On a Zen 4 without AMX bf16 takes 17 ms where fp32 takes 41 (detector, two threads).
    """
    cpuinfo = Path("/proc/cpuinfo")
    if not cpuinfo.is_file():
        return False
    return bool({"amx_bf16", "avx512_bf16"} & set(cpuinfo.read_text(errors="replace").split()))
