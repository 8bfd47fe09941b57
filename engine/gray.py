"""Gray pictures of parts of a frame, shrunk by powers of two."""

from __future__ import annotations

import cv2
import numpy as np

from .types import Image


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
        start, end = self._used, self._used + width * height
        if end > len(self._bytes):
            return np.empty((height, width), np.uint8)
        self._used = end
        return self._bytes[start:end].reshape(height, width)


def gray_of(image: Image, skips: int, memory: GrayMemory) -> Image:
    """Convert every `2**skips`-th row.

    Args:
        image: BGR uint8 `(h, w, 3)`.
        skips: 0 for all rows.
        memory: for the result.

    Returns:
        uint8 `(ceil(h / 2**skips), w)` by ITU-R BT.601, and nearly that where few rows are left.
    """
    rows = image[_first(len(image), skips) :: 1 << skips]
    out = memory.picture(rows.shape[1], rows.shape[0])
    cv2.cvtColor(rows, cv2.COLOR_BGR2GRAY, out)
    return out


def shrunk(gray: Image, level: int, skips: int, memory: GrayMemory) -> Image:
    """Make squares of `2**level` by `2**level` pixels of a frame one pixel, their mean.

    What is left over on the right and at the bottom is left out: means of whole squares are
    quick and exact but for rounding.

    Args:
        gray: uint8, with every `2**skips`-th row of the frame.
        level: 0 or more.
        skips: 0 to `level`; the fewer rows are looked at, the quicker.
        memory: for the result.
    """
    for _ in range(level - skips):
        gray = _means(gray, 2, 2, memory)
    return _means(gray, 1 << skips, 1, memory) if skips else gray


def _first(height: int, skips: int) -> int:
    # The middle of what is skipped, so that pictures are not shifted by half of it.
    return min((1 << skips) >> 1, height - 1)


def _means(gray: Image, across: int, down: int, memory: GrayMemory) -> Image:
    height, width = max(1, gray.shape[0] // down), max(1, gray.shape[1] // across)
    out = memory.picture(width, height)
    whole = gray[: height * down, : width * across]
    cv2.resize(whole, (width, height), out, interpolation=cv2.INTER_AREA)
    return out
