"""How each kernel is launched: its name, grid, block, and arguments in order."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt

from ..errors import BadInput
from ..model import InputFacts
from ..preprocess import crop_square, letterbox_size
from ..types import Floats

# Warps lie along rows, where neighbours read and write side by side.
BLOCK = (32, 8, 1)
MAX_FACES = 65535
# Of a frame or a face: with a network's input of up to 4096 pixels, the kernels' products of
# both stay below 2^31.
MAX_SIDE_PX = 65535
_FARTHEST_PX = 2**30

Precision = Literal["fp32", "fp16"]
Argument = np.int32 | np.int64 | np.float32 | np.uintp


@dataclass(frozen=True)
class Launch:
    """One launch of a kernel.

    Attributes:
        name: of the kernel.
        grid, block: numbers of blocks and of threads in one.
        arguments: in the kernel's order, each of its exact type; pointers are `np.uintp`.
        source: where the kernel is, one of `compile.SOURCES`.
    """

    name: str
    grid: tuple[int, int, int]
    block: tuple[int, int, int]
    arguments: tuple[Argument, ...]
    source: str = "kernels"


@dataclass(frozen=True)
class BgrFrame:
    """A BGR uint8 frame in memory that the kernels can reach.

    Attributes:
        address: of its first byte.
        width, height: in pixels.
        pitch: bytes from one row to the next, at least `3 * width`.

    Raises:
        BadInput: a size outside 1 to `MAX_SIDE_PX`, or rows that overlap.
    """

    address: int
    width: int
    height: int
    pitch: int

    def __post_init__(self) -> None:
        _check_size(self.width, self.height)
        _check_pitch("BGR", self.pitch, 3 * self.width)

    def arguments(self) -> tuple[Argument, ...]:
        """In the kernels' order."""
        return (
            np.uintp(self.address), np.int32(self.width), np.int32(self.height),
            np.int64(self.pitch),
        )  # fmt: skip


@dataclass(frozen=True)
class Nv12Frame:
    """An NV12 frame, BT.601 limited range.

    Attributes:
        luma, chroma: addresses of the planes; chroma holds a (U, V) pair for two by two
            pixels.
        width, height: in pixels.
        luma_pitch, chroma_pitch: bytes from one row of a plane to the next; at least
            `width`, which the chroma's pairs round up to an even number.

    Raises:
        BadInput: a size outside 1 to `MAX_SIDE_PX`, or rows that overlap.
    """

    luma: int
    chroma: int
    width: int
    height: int
    luma_pitch: int
    chroma_pitch: int

    def __post_init__(self) -> None:
        _check_size(self.width, self.height)
        _check_pitch("luma", self.luma_pitch, self.width)
        _check_pitch("chroma", self.chroma_pitch, self.width + self.width % 2)

    def arguments(self) -> tuple[Argument, ...]:
        """In the kernels' order."""
        return (
            np.uintp(self.luma), np.uintp(self.chroma), np.int32(self.width),
            np.int32(self.height), np.int64(self.luma_pitch), np.int64(self.chroma_pitch),
        )  # fmt: skip


def frame_launch(
    frame: BgrFrame | Nv12Frame, facts: InputFacts, out: int, precision: Precision
) -> Launch:
    """A whole frame to a network's input `(1, 3, height, width)`.

    Args:
        frame: where it is.
        facts: of the input; colour, resize rule, mean and scale.
        out: address of the input.
        precision: of the input.

    Raises:
        BadInput: a gray input, or one that ignores the aspect and averages.
    """
    if facts.channels != 3 or facts.resize == "area":
        raise BadInput(f"no kernel makes a {facts.colour} input by {facts.resize}")
    name = "letterbox" if facts.resize == "letterbox" else "frame"
    rule: tuple[int, ...] = (int(facts.resize == "half_pixel_bilinear"),)
    if name == "letterbox":
        rule = letterbox_size(frame.width, frame.height, facts)
    kind = "bgr" if isinstance(frame, BgrFrame) else "nv12"
    return Launch(
        f"{name}_from_{kind}_{precision}",
        _grid(facts.width, facts.height, 1),
        BLOCK,
        (
            *frame.arguments(), np.uintp(out), np.int32(facts.width), np.int32(facts.height),
            *map(np.int32, rule), np.int32(facts.colour == "rgb"),
            *map(np.float32, (*facts.mean, *facts.scale)),
        ),
    )  # fmt: skip


def face_squares(crops: Floats) -> npt.NDArray[np.int32]:
    """The squares that `faces_launch` cuts out.

    Args:
        crops: as `face_inputs` takes them; n may be 0.

    Returns:
        int32 `(n, 3)`: left, top, side; they may stick out of the frame.

    Raises:
        BadInput: a crop that is tilted, not finite, larger than `MAX_SIDE_PX` or too far away.
    """
    if crops[:, 4:].any():
        raise BadInput("no kernel turns faces")
    squares = np.empty((len(crops), 3), np.int32)
    for square, crop in zip(squares, crops, strict=True):
        if not np.isfinite(crop).all():
            raise BadInput(f"a face at {crop.tolist()} (x, y, w, h) is nowhere")
        left, top, side = crop_square(crop)
        if side > MAX_SIDE_PX or max(abs(left), abs(top)) > _FARTHEST_PX:
            raise BadInput(f"a face of {side} pixels at {left}, {top}; {MAX_SIDE_PX} is the most")
        square[:] = left, top, side
    return squares


def faces_launch(
    frame: BgrFrame, squares: int, count: int, facts: InputFacts, out: int, precision: Precision
) -> Launch:
    """All faces of a frame to a batch `(count, 1, height, width)`.

    Args:
        frame: where it is.
        squares: address of int32 `(count, 3)`: left, top, side; see `face_squares`.
        count: of the faces, at least 1: no launch is needed for none.
        facts: of the input, gray, resize rule `area`.
        out: address of the batch.
        precision: of the batch.

    Raises:
        BadInput: another kind of input, or a number of faces that no launch takes.
    """
    if facts.colour != "gray" or facts.resize != "area":
        raise BadInput(f"no kernel makes faces {facts.colour} by {facts.resize}")
    if not 1 <= count <= MAX_FACES:
        raise BadInput(f"{count} faces in one launch; take 1 to {MAX_FACES}")
    return Launch(
        f"faces_from_bgr_{precision}",
        _grid(facts.width, facts.height, count),
        BLOCK,
        (
            *frame.arguments(), np.uintp(squares), np.int32(count), np.uintp(out),
            np.int32(facts.width), np.int32(facts.height), np.float32(facts.mean[0]),
            np.float32(facts.scale[0]),
        ),
    )  # fmt: skip


def _check_size(width: int, height: int) -> None:
    if not (1 <= width <= MAX_SIDE_PX and 1 <= height <= MAX_SIDE_PX):
        raise BadInput(f"a frame of {width}x{height} pixels; 1 to {MAX_SIDE_PX} a side")


def _check_pitch(name: str, pitch: int, least: int) -> None:
    if pitch < least:
        raise BadInput(f"{name} rows {pitch} bytes apart overlap; they need {least} or more")


def _grid(width: int, height: int, depth: int) -> tuple[int, int, int]:
    return -(-width // BLOCK[0]), -(-height // BLOCK[1]), depth
