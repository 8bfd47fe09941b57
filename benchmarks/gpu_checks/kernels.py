"""The kernels on the GPU against the references that the tests use on the CPU."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from fer_edge.engine.cuda.launch import (
    BgrFrame,
    Nv12Frame,
    face_squares,
    faces_launch,
    frame_launch,
)
from fer_edge.engine.model import InputFacts
from fer_edge.engine.preprocess import face_inputs
from tests.engine.cuda.reference import bgr_from_nv12, bilinear, letterbox

from .driver import Cuda

RGB = InputFacts("image", 512, 512, "rgb", "tf1_bilinear", (127.5,) * 3, (1 / 127.5,) * 3)
# In the sizes of the shipped detectors, with mean and scale that are not one for all.
LETTERBOX = InputFacts(
    "image", 256, 320, "rgb", "letterbox", (104.0, 117.0, 123.0), (1 / 255, 1 / 200, 1 / 127.5)
)
LETTERBOXES = (LETTERBOX, replace(LETTERBOX, height=480, width=640, colour="bgr"))
GRAY = InputFacts("face", 48, 48, "gray", "area", (127.5,), (1 / 127.5,))
SIZES = ((480, 640), (720, 1280), (1080, 1920), (357, 631), (512, 512), (1, 1), (3, 5000))
SHORT = ((480, 640), (35, 63), (1, 1))
# After scaling to -1..1: a grey level is 2 / 255.
LIMIT = 1e-4
GREY_LEVEL = 2 / 255
HALF = 1e-3


def check(options: Any) -> dict[str, Any]:
    """Errors of every kernel over sizes, pitches, boxes and both precisions."""
    cuda = Cuda()
    rng = np.random.default_rng(0)
    sizes = SHORT if options.short else SIZES
    errors = {"frames fp32": 0.0, "frames fp16": 0.0, "NV12 fp32": 0.0, "faces fp32": 0.0}
    errors |= dict.fromkeys(("faces fp16", "letterboxes fp32", "letterboxes fp16"), 0.0)
    errors["NV12 letterboxes fp32"] = 0.0
    launches = 0
    for height, width in sizes:
        for padding in (0, 7):
            rows = rng.integers(0, 256, (height, 3 * width + padding), np.uint8)
            image = np.ascontiguousarray(rows[:, : 3 * width]).reshape(height, width, 3)
            memory = cuda.upload(rows)
            frame = BgrFrame(memory, width, height, rows.strides[0])
            for resize in ("tf1_bilinear", "half_pixel_bilinear"):
                facts = replace(RGB, resize=resize)
                wanted = bilinear(image, facts)
                for precision in ("fp32", "fp16"):
                    found = _frame(cuda, frame, facts, precision)
                    _worst(errors, f"frames {precision}", found, wanted)
                    launches += 1
            for facts in LETTERBOXES:
                wanted = letterbox(image, facts)
                for precision in ("fp32", "fp16"):
                    found = _frame(cuda, frame, facts, precision)
                    _worst(errors, f"letterboxes {precision}", found, wanted)
                    launches += 1
            for precision in ("fp32", "fp16"):
                for boxes in _boxes(rng, height, width):
                    found = _faces(cuda, frame, boxes, precision)
                    cut = face_inputs(image, boxes, GRAY)
                    _worst(errors, f"faces {precision}", found, cut)
                    launches += 1
            cuda.free(memory)
        image, (plain, boxed) = _nv12(cuda, rng, height, width, (RGB, LETTERBOX))
        _worst(errors, "NV12 fp32", plain, bilinear(image, RGB))
        _worst(errors, "NV12 letterboxes fp32", boxed, letterbox(image, LETTERBOX))
        launches += 2
    limits = dict.fromkeys((name for name in errors if name.endswith("fp32")), LIMIT)
    limits["faces fp32"] = GREY_LEVEL
    for name, error in errors.items():
        limit = limits.get(name, GREY_LEVEL if name.startswith("faces") else HALF)
        if not error <= limit:
            raise AssertionError(f"{name}: off by {error:.2e} (allowed {limit:g})")
    return {"gpu": cuda.gpu.name, "launches": launches, "largest errors": errors}


def _worst(errors: dict[str, float], name: str, found: np.ndarray, wanted: np.ndarray) -> None:
    errors[name] = max(errors[name], float(np.abs(found.astype(float) - wanted).max()))


def _frame(cuda: Cuda, frame: Any, facts: InputFacts, precision: Any) -> np.ndarray:
    out = np.empty((1, 3, facts.height, facts.width), f"f{4 if precision == 'fp32' else 2}")
    memory = cuda.memory(out.nbytes)
    cuda.launch(frame_launch(frame, facts, memory, precision))
    cuda.download(out, memory)
    cuda.free(memory)
    return out


def _faces(cuda: Cuda, frame: BgrFrame, boxes: np.ndarray, precision: Any) -> np.ndarray:
    out = np.empty((len(boxes), 1, 48, 48), f"f{4 if precision == 'fp32' else 2}")
    squares = cuda.upload(face_squares(boxes))
    memory = cuda.memory(out.nbytes)
    cuda.launch(faces_launch(frame, squares, len(boxes), GRAY, memory, precision))
    cuda.download(out, memory)
    cuda.free(memory)
    cuda.free(squares)
    return out


def _boxes(rng: np.random.Generator, height: int, width: int) -> list[np.ndarray]:
    """One pixel, many faces, and faces that stick out of the frame."""
    many = rng.uniform(0, 1, (16, 4)) * (width, height, width, height)
    around = np.array([[-width / 3, -height / 3, width, height], [width - 1, height - 1, 50, 50]])
    return [
        np.array([[0, 0, 0.5, 0.5]], np.float32),
        np.maximum(many, (0, 0, 1, 1)).astype(np.float32),
        around.astype(np.float32),
    ]


def _nv12(
    cuda: Cuda, rng: np.random.Generator, height: int, width: int, inputs: tuple[InputFacts, ...]
) -> tuple[np.ndarray, list[np.ndarray]]:
    """A random frame in BGR, and what the kernels make of it."""
    luma = rng.integers(0, 256, (height, width), np.uint8)
    chroma = rng.integers(0, 256, ((height + 1) // 2, width + width % 2), np.uint8)
    planes = cuda.upload(luma), cuda.upload(chroma)
    frame = Nv12Frame(*planes, width, height, luma.strides[0], chroma.strides[0])
    found = [_frame(cuda, frame, facts, "fp32") for facts in inputs]
    for plane in planes:
        cuda.free(plane)
    return bgr_from_nv12(luma, chroma), found
