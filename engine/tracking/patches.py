"""Square gray patches of a frame, around faces of any position, size and tilt."""

from __future__ import annotations

from collections.abc import Sequence
from math import ceil, cos, floor, log2, sin

import cv2
import numpy as np

from ..types import Image
from .poses import Pose

# A patch may be cut again half its side farther on, where its face has moved to.
_REACH = 1.5
_WARP = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
_NOTHING: Image = np.zeros((1, 1), np.uint8)


class GrayMemory:
    """Memory for one frame after the other: asking the system for it takes as long as the work."""

    def __init__(self) -> None:
        self._bytes: Image = np.empty(0, np.uint8)
        self._used = 0

    def restart(self, size: int) -> None:
        """Give all pictures back, and be ready for some of `size` pixels together."""
        self._used = 0
        if size > len(self._bytes):
            self._bytes = np.empty(size, np.uint8)

    def picture(self, width: int, height: int) -> Image:
        """Take a gray picture, uint8 `(height, width)`, of any content."""
        start, self._used = self._used, self._used + width * height
        return self._bytes[start : self._used].reshape(height, width)


class GrayFrame:
    """A frame from which patches are cut: gray, and halved as often as large faces need.

    Only the surroundings of the faces are converted, unless these add up to more than the
    frame. A patch samples pixels that are 0.7 to 1.4 times as large as its own, so that
    neither detail is lost nor aliases appear.

    Args:
        image: BGR uint8 `(h, w, 3)`.
        poses: around which patches will be cut.
        side: of the patches in pixels.
        memory: to work in; the frame before this one is no longer there.
    """

    def __init__(self, image: Image, poses: Sequence[Pose], side: int, memory: GrayMemory) -> None:
        height, width = image.shape[:2]
        regions, area = [], 0
        for x, y, scale, _ in poses:
            reach = _REACH * side * scale / 2
            level = max(0, round(log2(scale)))
            # Halves of a region are those of the whole frame.
            whole = -(1 << level)
            left, top = max(0, floor(x - reach) & whole), max(0, floor(y - reach) & whole)
            right, bottom = min(width, ceil(x + reach)), min(height, ceil(y + reach))
            regions.append((left, top, right, bottom, level))
            area += max(0, right - left) * max(0, bottom - top)
        # Halves of halves add up to a third.
        memory.restart(2 * min(area, width * height))
        if area > width * height:
            self._surroundings = _of_whole_frame(image, [row[4] for row in regions], memory)
        else:
            self._surroundings = [_of_region(image, *region, memory) for region in regions]

    def cut(self, poses: Sequence[Pose], out: Image) -> None:
        """Cut a patch at each pose; pixels outside the frame repeat its border.

        Args:
            poses: as many and in the order of those the frame was made for.
            out: uint8 `(n, side, side)`, C-contiguous, to be filled.
        """
        middle = (out.shape[1] - 1) / 2
        size = out.shape[1:]
        rows = zip(poses, self._surroundings, out, strict=True)
        for (x, y, scale, angle), (gray, left, top, shrink), patch in rows:
            c, s = shrink * scale * cos(angle), shrink * scale * sin(angle)
            # Pixel i covers i to i + 1, in every halved picture too.
            across = (x - left) * shrink - 0.5 - middle * (c - s)
            down = (y - top) * shrink - 0.5 - middle * (s + c)
            matrix = np.array(((c, -s, across), (s, c, down)))
            cv2.warpAffine(gray, matrix, size, patch, _WARP, cv2.BORDER_REPLICATE)


# A gray picture, where its left upper corner lies in the frame, and how much it was shrunk.
_Surroundings = tuple[Image, int, int, float]


def _of_whole_frame(image: Image, levels: list[int], memory: GrayMemory) -> list[_Surroundings]:
    pyramid = [_gray(image, memory)]
    for _ in range(max(levels)):
        pyramid.append(_halved(pyramid[-1], memory))
    return [(pyramid[level], 0, 0, 0.5**level) for level in levels]


def _of_region(
    image: Image, left: int, top: int, right: int, bottom: int, level: int, memory: GrayMemory
) -> _Surroundings:
    if right <= left or bottom <= top:
        return _NOTHING, 0, 0, 1.0
    gray = _gray(image[top:bottom, left:right], memory)
    for _ in range(level):
        gray = _halved(gray, memory)
    return gray, left, top, 0.5**level


def _gray(image: Image, memory: GrayMemory) -> Image:
    out = memory.picture(image.shape[1], image.shape[0])
    cv2.cvtColor(image, cv2.COLOR_BGR2GRAY, out)
    return out


def _halved(gray: Image, memory: GrayMemory) -> Image:
    height, width = gray.shape
    # An odd last row or column is left out: means of two by two pixels are quick and exact.
    even = gray[: max(1, height & ~1), : max(1, width & ~1)]
    out = memory.picture(max(1, width // 2), max(1, height // 2))
    cv2.resize(even, out.shape[::-1], out, interpolation=cv2.INTER_AREA)
    return out
