"""A decoded frame as the engine takes it: BGR, upright, its pixels square."""

from __future__ import annotations

from fractions import Fraction
from typing import TYPE_CHECKING, Any, cast

import cv2
import numpy as np

from ..types import Image

if TYPE_CHECKING:
    from av.video.frame import VideoFrame
    from av.video.reformatter import VideoReformatter

# Formats of television lie between 1:2 and 2:1; what is far outside is damage.
FLATTEST_PIXEL, TALLEST_PIXEL = 4, Fraction(1, 4)


def picture_of(
    frame: VideoFrame, pixel_aspect: Fraction | None, reformatter: VideoReformatter
) -> Image:
    """The picture of a decoded frame, as its author wanted it seen.

    Args:
        frame: of any pixel format; more than 8 bits are rounded, alpha is left out.
        pixel_aspect: width of a pixel over its height; None where nobody says it.
        reformatter: kept from frame to frame of one film.

    Returns:
        BGR uint8 `(height, width, 3)`, turned and mirrored by the frame's display matrix.
    """
    width, height = square_size(frame.width, frame.height, pixel_aspect)
    bgr = reformatter.reformat(frame, width, height, "bgr24", threads=1)
    return upright(_array(bgr), _display_matrix(frame))


def square_size(width: int, height: int, pixel_aspect: Fraction | None) -> tuple[int, int]:
    """The size at which pixels are square, by making one side longer and none shorter."""
    if not pixel_aspect or not TALLEST_PIXEL <= pixel_aspect <= FLATTEST_PIXEL:
        return width, height
    if pixel_aspect >= 1:
        return round(width * pixel_aspect), height
    return width, round(height / pixel_aspect)


def upright(image: Image, matrix: tuple[int, ...] | None) -> Image:
    """A picture as its display matrix wants it shown, turned by quarters and mirrored.

    Args:
        image: BGR uint8 `(height, width, 3)`, as stored.
        matrix: FFmpeg's, nine numbers `(a, b, u, c, d, v, x, y, w)`: pixel `(p, q)` goes to
            `(a p + c q, b p + d q)`. None leaves the picture as it is.
    """
    if matrix is None:
        return image
    a, b, _, c, d, *_ = matrix
    turned = abs(b) > abs(a)
    across, down = (c, b) if turned else (a, d)
    if turned:
        image = cast(Image, cv2.transpose(image))
    if across < 0 and down < 0:
        return cast(Image, cv2.flip(image, -1))
    if across < 0:
        return cast(Image, cv2.flip(image, 1))
    if down < 0:
        return cast(Image, cv2.flip(image, 0))
    return image


def _array(bgr: VideoFrame) -> Image:
    """The pixels of a BGR frame, not copied where its lines have no padding."""
    plane = bgr.planes[0]
    if plane.line_size < 0:
        return cast(Image, bgr.to_ndarray())
    lines = np.frombuffer(cast(Any, plane), np.uint8).reshape(-1, plane.line_size)
    pixels = lines[: bgr.height, : 3 * bgr.width]
    return np.ascontiguousarray(pixels).reshape(bgr.height, bgr.width, 3)


def _display_matrix(frame: VideoFrame) -> tuple[int, ...] | None:
    try:
        data = frame.side_data.get("DISPLAYMATRIX")
    except ValueError:  # PyAV does not know every kind of side data that FFmpeg has
        return None
    return None if data is None else tuple(np.frombuffer(cast(Any, data), np.int32).tolist())
