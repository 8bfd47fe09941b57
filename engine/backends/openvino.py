"""Inference with OpenVINO, the default on CPUs."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import openvino
from openvino.preprocess import PrePostProcessor

from ..cores import physical_cores
from ..errors import BadInput, last_line
from ..folders import cache_folder
from ..model import InputFacts, ModelFacts, read_facts
from ..preprocess import face_inputs, network_pixels
from ..tracing import span
from ..types import Floats, Image
from .base import Backend
from .plan import Plan
from .sizes import BySize

_DEFAULT = Plan("openvino", "CPU", "fp32")
# int8 is in the file: what else it computes is fp32.
_HINTS = {
    "fp32": openvino.Type.f32,
    "bf16": openvino.Type.bf16,
    "fp16": openvino.Type.f16,
    "int8": openvino.Type.f32,
}


class OpenVINOBackend(Backend):
    """A model compiled for a CPU, or for Intel's GPUs and NPUs; by default for the CPU, in fp32.

    A detector is compiled to take frames as bytes: scaling and transposing them is part of the
    network. Where its size may be chosen, it is compiled for
    each size that is asked for; where not, when it is opened. Its arrays for `infer` need
    another compilation, which comes when they do. Faces are small, and nothing is won with them.
    """

    def __init__(self, path: Path, facts: ModelFacts, plan: Plan = _DEFAULT) -> None:
        self.facts = facts
        precision = "int8" if facts.precision == "int8" else plan.precision
        self.plan = replace(plan, device=plan.device or "CPU", precision=precision)
        self._network = _Network(path, self.plan, keep=bool(facts.input.step))
        self._frames = BySize(self._open_frames)
        self._arrays = BySize(self._open_arrays)
        size = facts.input
        # Filled again and again.
        self._faces = np.empty((0, size.channels, size.height, size.width), np.float32)
        if facts.expression:
            self._arrays(size)
        elif not size.step:
            self._frames(size)

    @classmethod
    def open(cls, path: Path, plan: Plan | None = None) -> OpenVINOBackend:
        """Load the model at `path`; see `Backend.open`."""
        return cls(path, read_facts(path), plan or _DEFAULT)

    def infer(self, inputs: Mapping[str, Floats]) -> dict[str, Floats]:
        """Run the network once; see `Backend.infer`."""
        facts = self.facts.input
        if facts.step:
            height, width = inputs[facts.name].shape[2:]
            facts = facts.of_size(width, height)
        return self._arrays(facts).infer(inputs)

    def infer_frame(self, image: Image, see: InputFacts | None = None) -> dict[str, Floats]:
        """Run a detector on a whole frame; see `Backend.infer_frame`."""
        assert self.facts.detector is not None, "only detectors see frames"
        facts = see or self.facts.input
        request, memory = self._frames(facts)
        with span("preprocess"):
            network_pixels(image, facts, memory)
            if facts.colour == "rgb":
                # OpenVINO would do it, but loses it in networks that also ask for the shape of
                # their input (2026.4).
                cv2.cvtColor(memory, cv2.COLOR_BGR2RGB, dst=memory)
        with span("detect"):
            return request.infer_from(memory[None])

    def infer_faces(self, image: Image, crops: Floats) -> dict[str, Floats]:
        """Run an expression model on the faces of a frame; see `Backend.infer_faces`."""
        facts = self.facts.input
        with span("crop"):
            if len(crops) > len(self._faces):
                self._faces = np.empty((2 * len(crops), *self._faces.shape[1:]), np.float32)
            faces = self._faces[: len(crops)]
            face_inputs(image, crops, facts, faces)
        with span("classify"):
            return self._arrays(facts).infer_from(faces)

    def close(self) -> None:
        """Give the model's memory back; may be called twice."""
        self._frames.clear()
        self._arrays.clear()
        self._network.close()

    def _open_frames(self, facts: InputFacts) -> tuple[_Request, Image]:
        """A request for frames of a size, and the memory it reads them from."""
        memory = np.empty((facts.height, facts.width, facts.channels), np.uint8)
        return self._request(facts, as_bytes=True), memory

    def _open_arrays(self, facts: InputFacts) -> _Request:
        return self._request(facts, as_bytes=False)

    def _request(self, facts: InputFacts, as_bytes: bool) -> _Request:
        compiled = self._network.compiled(facts, as_bytes)
        if self.plan.device == "CPU":
            # What the library took, where that was left to it.
            threads = int(compiled.get_property("INFERENCE_NUM_THREADS"))
            self.plan = replace(self.plan, threads=threads)
        return _Request(compiled)


class _Request:
    """A request of inference, whose input stays bound to memory that is used again.

    Finding out what an input is takes OpenVINO a tenth of the time of a small network.

    Args:
        compiled: the network.
    """

    def __init__(self, compiled: Any) -> None:
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


class _Network:
    """An ONNX file as read, to be compiled in one way or another.

    Args:
        path: of the file.
        plan: device, precision and threads.
        keep: whether more than one compilation is to be expected.

    Raises:
        BadInput: OpenVINO cannot read it.
    """

    def __init__(self, path: Path, plan: Plan, keep: bool) -> None:
        self._device = plan.device
        self._options = _options(plan)
        self._path = path
        self._keep = keep
        self._core: Any = openvino.Core()
        self._model = self._read()

    def compiled(self, facts: InputFacts, as_bytes: bool) -> Any:
        """The network, compiled.

        Args:
            facts: the size, where the file leaves it open.
            as_bytes: makes the network take uint8 `(n, h, w, c)` and scale it as the facts say,
                in place of what the file says.

        Raises:
            BadInput: OpenVINO cannot compile it.
        """
        with _told_in_a_line(self._path):
            # Both steps write to the model that they are given.
            model = self._taken()
            if facts.step:
                model.reshape([1, facts.channels, facts.height, facts.width])
            if as_bytes:
                model = _with_scaling(model, facts)
            return self._core.compile_model(model, self._device, self._options)

    def close(self) -> None:
        """Give the weights back; may be called twice."""
        self._model = self._core = None

    def _taken(self) -> Any:
        """The network, for the caller to change."""
        model, self._model = self._model or self._read(), None
        if self._keep:
            self._model = model.clone()
        return model

    def _read(self) -> Any:
        with _told_in_a_line(self._path):
            return self._core.read_model(str(self._path))


def _options(plan: Plan) -> dict[str, Any]:
    """A plan in OpenVINO's words."""
    options: dict[str, Any] = {"PERFORMANCE_HINT": "LATENCY"}
    if plan.precision in _HINTS and plan.device != "NPU":
        options["INFERENCE_PRECISION_HINT"] = _HINTS[plan.precision]
    if plan.device == "CPU" and plan.threads:
        options["INFERENCE_NUM_THREADS"] = plan.threads
        if plan.threads > physical_cores():
            # For low latency it would stay with one thread a physical core.
            options["ENABLE_HYPER_THREADING"] = True
    if plan.device != "CPU":
        # Compiling for these takes seconds.
        options["CACHE_DIR"] = str(cache_folder() / "openvino")
    return options


@contextmanager
def _told_in_a_line(path: Path) -> Iterator[None]:
    """Turn what OpenVINO raises, of many kinds with damaged files, into one line."""
    try:
        yield
    except Exception as error:
        reason = last_line(error)
        raise BadInput(f"{path}: OpenVINO cannot load it ({reason})") from error


def _with_scaling(model: Any, facts: InputFacts) -> Any:
    """The model with uint8 `(n, h, w, c)` as its input, channels in the network's order."""
    building = PrePostProcessor(model)
    image = building.input()
    image.tensor().set_element_type(openvino.Type.u8).set_layout(openvino.Layout("NHWC"))
    image.model().set_layout(openvino.Layout("NCHW"))
    steps = image.preprocess().convert_element_type(openvino.Type.f32)
    steps.mean(_alike(facts.mean)).scale(_alike([1 / value for value in facts.scale]))
    return building.build()


def _alike(channels: Sequence[float]) -> float | list[float]:
    """One number where the channels agree: over rows of pixels, not three values at a time."""
    return channels[0] if len(set(channels)) == 1 else list(channels)
