"""Frames and faces to network inputs, on the CPU: the oracle for every other path."""

from __future__ import annotations

from math import floor
from typing import TypeVar

import cv2
import numpy as np

from .model import InputFacts
from .types import Boxes, Floats, Image

Pixels = TypeVar("Pixels", Image, Floats)


def network_input(image: Image, facts: InputFacts) -> Floats:
    """Resize a whole frame to a network's input.

    Args:
        image: BGR uint8 `(h, w, 3)`.
        facts: size, colour order, resize rule, mean and scale.

    Returns:
        float32 `(1, channels, height, width)`, `(pixel - mean) * scale`.
    """
    return _normalise(_resize(_coloured(image, facts).astype(np.float32), facts)[None], facts)


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


def face_inputs(image: Image, boxes: Boxes, facts: InputFacts, crop_scale: float) -> Floats:
    """Cut faces out of a frame and resize each to a network's input.

    Args:
        image: BGR uint8 `(h, w, 3)`.
        boxes: float32 `(n, 4)`, `(x, y, w, h)`; may stick out of the frame, where
            the nearest border pixel is repeated.
        facts: size, colour order, resize rule, mean and scale.
        crop_scale: side of the square crop over the longer side of the box.

    Returns:
        float32 `(n, channels, height, width)`.
    """
    faces = np.empty((len(boxes), facts.height, facts.width, facts.channels), np.float32)
    for face, box in zip(faces, boxes, strict=True):
        crop = _coloured(square_crop(image, box, crop_scale), facts)
        face[...] = _resize(crop.astype(np.float32), facts).reshape(face.shape)
    return _normalise(faces, facts)


def square_crop(image: Image, box: Floats, crop_scale: float) -> Image:
    """Cut a square of whole pixels around a box `(x, y, w, h)`; see `crop_square`."""
    left, top, side = crop_square(box, crop_scale)
    height, width = image.shape[:2]
    if left >= 0 and top >= 0 and left + side <= width and top + side <= height:
        return image[top : top + side, left : left + side]
    rows = np.clip(np.arange(top, top + side), 0, height - 1)
    columns = np.clip(np.arange(left, left + side), 0, width - 1)
    return image[rows[:, None], columns]


def crop_square(box: Floats, crop_scale: float) -> tuple[int, int, int]:
    """(left, top, side) of the square around a box `(x, y, w, h)`, at least one pixel wide.

    It may stick out of the frame.
    """
    x, y, w, h = (float(value) for value in box)
    side = max(1, round(max(w, h) * crop_scale))
    return floor(x + w / 2 - side / 2 + 0.5), floor(y + h / 2 - side / 2 + 0.5), side


def _coloured(image: Image, facts: InputFacts) -> Image:
    return cv2.cvtColor(image, cv2.COLOR_BGR2GRAY) if facts.colour == "gray" else image  # type: ignore[return-value]


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
    shrinks = facts.resize == "area" and width >= size[0] and height >= size[1]
    how = cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR
    return cv2.resize(pixels, size, dst=out, interpolation=how)  # type: ignore[return-value]


def _normalise(pixels: Floats, facts: InputFacts) -> Floats:
    """`(n, h, w, c)` in BGR or gray, 0-255, to scaled `(n, c, h, w)` in the network's order."""
    n, height, width, channels = (*pixels.shape, 1)[:4]
    planar = np.empty((n, channels, height, width), np.float32)
    for channel in range(channels):
        source = channels - 1 - channel if facts.colour == "rgb" else channel
        plane = pixels[..., source] if pixels.ndim == 4 else pixels
        scale = np.float32(facts.scale[channel])
        np.multiply(plane, scale, out=planar[:, channel])
        planar[:, channel] -= np.float32(facts.mean[channel]) * scale
    return planar
