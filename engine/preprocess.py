"""Frames and faces to network inputs, on the CPU: the oracle for every other path."""

from __future__ import annotations

from functools import lru_cache
from math import cos, floor, radians, sin
from typing import TypeVar

import cv2
import numpy as np
import numpy.typing as npt

from .model import InputFacts
from .types import Floats, Image

Pixels = TypeVar("Pixels", Image, Floats)
# Pixels of a gray face for each of the input, from which on sums are quicker than OpenCV.
_LARGE = 16
# OpenCV turns no larger pictures.
_LARGEST_TURNED = (1 << 15) - 2


def network_input(image: Image, facts: InputFacts) -> Floats:
    """Resize a whole frame to a network's input.

    Args:
        image: BGR uint8 `(h, w, 3)`.
        facts: size, colour order, resize rule, mean and scale.

    Returns:
        float32 `(1, channels, height, width)`, `(pixel - mean) * scale`.
    """
    return scaled(_resize(_coloured(image, facts).astype(np.float32), facts)[None], facts)


def network_pixels(image: Image, facts: InputFacts, out: Image | None = None) -> Image:
    """The same as `network_input` before scaling, rounded to whole grey levels.

    For backends that scale in the network: a quarter of the time and of the bytes.

    Args:
        image: BGR uint8 `(h, w, 3)`.
        facts: size, colour and resize rule.
        out: uint8 `(height, width[, 3])` to write to, C-contiguous.

    Returns:
        uint8 `(1, height, width, channels)`, colour still in BGR order; over the memory of `out`.
    """
    pixels = _resize(_coloured(image, facts), facts, out)
    return pixels.reshape(1, facts.height, facts.width, facts.channels)


def face_inputs(
    image: Image, crops: Floats, facts: InputFacts, out: Floats | None = None
) -> Floats:
    """Cut faces out of a frame and resize each to a network's input.

    Args:
        image: BGR uint8 `(h, w, 3)`.
        crops: squares `(x, y, w, h)` around the faces, float32 `(n, 4)`, or `(n, 5)` with their
            tilt; see `face_crops`. They may stick out of the frame, where the nearest border
            pixel is repeated.
        facts: size, colour order, resize rule, mean and scale.
        out: float32 `(n, channels, height, width)` to write to.

    Returns:
        float32 `(n, channels, height, width)`; `out` where it is given.
    """
    faces = np.empty((len(crops), facts.height, facts.width, facts.channels), np.float32)
    for face, crop in zip(faces, crops, strict=True):
        pixels = _coloured(square_crop(image, crop), facts)
        face[...] = _resized_face(pixels, facts).reshape(face.shape)
    return scaled(faces, facts, out)


def square_crop(image: Image, crop: Floats) -> Image:
    """Cut a square of whole pixels around a box.

    Args:
        image: uint8 `(h, w, 3)` or `(h, w)`.
        crop: `(x, y, w, h)`, see `crop_square`, or `(x, y, w, h, tilt)`, see `face_crops`.
    """
    left, top, side = crop_square(crop)
    height, width = image.shape[:2]
    if len(crop) > 4 and crop[4] and max(height, width, side) <= _LARGEST_TURNED:
        return _turned_crop(image, left, top, side, float(crop[4]))
    if left >= 0 and top >= 0 and left + side <= width and top + side <= height:
        return image[top : top + side, left : left + side]
    rows = np.clip(np.arange(top, top + side), 0, height - 1)
    columns = np.clip(np.arange(left, left + side), 0, width - 1)
    return image[rows[:, None], columns]


def _turned_crop(image: Image, left: int, top: int, side: int, tilt: float) -> Image:
    """A square that is turned clockwise around its middle by `tilt` degrees."""
    c, s = cos(radians(tilt)), sin(radians(tilt))
    half = (side - 1) / 2
    # From pixels of the square to those of the frame; both have their middles in whole numbers.
    place = np.array(
        [
            [c, -s, left + half - c * half + s * half],
            [s, c, top + half - s * half - c * half],
        ]
    )
    flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    return cv2.warpAffine(  # type: ignore[return-value]
        image, place, (side, side), flags=flags, borderMode=cv2.BORDER_REPLICATE
    )


def crop_square(crop: Floats) -> tuple[int, int, int]:
    """(left, top, side) of the square around the middle of `crop`, see `square_crop`, upright.

    In whole pixels, as wide as the longer side of the box and at least one; it may stick out of
    the frame.
    """
    x, y, w, h = (float(value) for value in crop[:4])
    side = max(1, round(max(w, h)))
    return floor(x + w / 2 - side / 2 + 0.5), floor(y + h / 2 - side / 2 + 0.5), side


def _resized_face(crop: Image, facts: InputFacts) -> Floats:
    """A crop, uint8 `(side, side[, 3])`, in the network's size; nothing is rounded."""
    large = crop.size >= _LARGE * facts.width * facts.height
    if crop.ndim == 2 and large and _shrinks(crop, facts):
        return _area_means(crop, facts.width, facts.height)
    return _resize(crop.astype(np.float32), facts)


def _area_means(gray: Image, width: int, height: int) -> Floats:
    """The means of `height` by `width` equal cells that may cut through pixels, float32.

    From sums over all pixels above and on the left (F. Crow, "Summed-Area Tables for Texture
    Mapping", SIGGRAPH 1984), which grow linearly within a pixel: a cut takes 0.77 of the time
    that OpenCV's resize needs for the same numbers, half of it where the face is large.
    """
    # Whole numbers while they fit.
    depth = cv2.CV_32S if 255 * gray.size < 1 << 31 else cv2.CV_64F
    sums = cv2.integral(gray, sdepth=depth)
    (rows, below), (columns, beside) = _edges(gray.shape[0], height), _edges(gray.shape[1], width)
    around = sums.take(rows, 0).take(columns, 2)
    above = around[0] + below[:, None, None] * (around[1] - around[0])
    bands = above[1:] - above[:-1]
    left = bands[:, 0] + beside * (bands[:, 1] - bands[:, 0])
    cells = left[:, 1:] - left[:, :-1]
    return (cells * (height * width / gray.size)).astype(np.float32)


@lru_cache(maxsize=256)
def _edges(length: int, cells: int) -> tuple[npt.NDArray[np.intp], npt.NDArray[np.float64]]:
    """Where equal cells begin and end.

    Returns:
        `(2, cells + 1)`: the pixel that holds each edge and the one after it.
        `(cells + 1,)`: how far in it the edge is, 0-1.
    """
    at = np.arange(cells + 1, dtype=np.float64) * (length / cells)
    before = np.minimum(at.astype(np.intp), length - 1)
    return np.stack((before, before + 1)), at - before


def _coloured(image: Image, facts: InputFacts) -> Image:
    return cv2.cvtColor(image, cv2.COLOR_BGR2GRAY) if facts.colour == "gray" else image  # type: ignore[return-value]


def letterbox_size(width: int, height: int, facts: InputFacts) -> tuple[int, int]:
    """(width, height) in a letterboxed input of what a frame of this size becomes there."""
    scale = min(facts.width / width, facts.height / height)
    return max(1, round(width * scale)), max(1, round(height * scale))


def seen_extent(width: int, height: int, facts: InputFacts) -> tuple[float, float]:
    """Pixels of a frame of this size that an input's whole width and height stand for.

    Normalised coordinates of a network's answer times these are pixels of the frame.
    """
    if facts.resize != "letterbox":
        return width, height
    across, down = letterbox_size(width, height, facts)
    return facts.width * width / across, facts.height * height / down


def _resize(pixels: Pixels, facts: InputFacts, out: Pixels | None = None) -> Pixels:
    """`(height, width[, 3])`, 0-255, in the type and with the channels as they came.

    Of uint8 the result is rounded to whole grey levels, of float32 nothing is.
    """
    size = (facts.width, facts.height)
    height, width = pixels.shape[:2]
    if facts.resize == "tf1_bilinear":
        # cv2.resize aligns pixel centres, TensorFlow 1 does not: a pure scale does. OpenCV
        # rounds sampling positions to 1/32 pixel, which is exact for VGA and 720p at 512x512.
        scale = np.array([[width / size[0], 0, 0], [0, height / size[1], 0]])
        flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
        return cv2.warpAffine(  # type: ignore[return-value]
            pixels, scale, size, dst=out, flags=flags, borderMode=cv2.BORDER_REPLICATE
        )
    if facts.resize == "letterbox":
        return _letterboxed(pixels, facts, out)
    how = cv2.INTER_AREA if _shrinks(pixels, facts) else cv2.INTER_LINEAR
    return cv2.resize(pixels, size, dst=out, interpolation=how)  # type: ignore[return-value]


def _letterboxed(pixels: Pixels, facts: InputFacts, out: Pixels | None) -> Pixels:
    height, width = pixels.shape[:2]
    across, down = letterbox_size(width, height, facts)
    # Of a side of one pixel, rounding may leave one axis as it is and enlarge the other.
    shrinks = across <= width and down <= height
    how = cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR
    box = out
    if box is None:
        box = np.empty((facts.height, facts.width, *pixels.shape[2:]), pixels.dtype)
    box[down:], box[:down, across:] = 0, 0
    cv2.resize(pixels, (across, down), dst=box[:down, :across], interpolation=how)
    return box


def _shrinks(pixels: Image | Floats, facts: InputFacts) -> bool:
    height, width = pixels.shape[:2]
    return facts.resize == "area" and width >= facts.width and height >= facts.height


def scaled(pixels: Image | Floats, facts: InputFacts, out: Floats | None = None) -> Floats:
    """Scale pixels as a network wants them.

    Args:
        pixels: `(n, h, w, c)` in BGR or gray, 0-255.
        facts: colour order, mean and scale.
        out: float32 `(n, c, h, w)` to write to.

    Returns:
        float32 `(n, c, h, w)`, `(pixel - mean) * scale`, channels in the network's order;
        `out` where it is given.
    """
    n, height, width, channels = (*pixels.shape, 1)[:4]
    planar = np.empty((n, channels, height, width), np.float32) if out is None else out
    for channel in range(channels):
        source = channels - 1 - channel if facts.colour == "rgb" else channel
        plane = pixels[..., source] if pixels.ndim == 4 else pixels
        scale = np.float32(facts.scale[channel])
        np.multiply(plane, scale, out=planar[:, channel])
        if facts.mean[channel]:
            planar[:, channel] -= np.float32(facts.mean[channel]) * scale
    return planar
