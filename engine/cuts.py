"""Cuts in a video: frames that show another scene than the one before."""

from __future__ import annotations

from typing import NamedTuple

import cv2
import numpy as np
import numpy.typing as npt

from .types import Image

# A thumbnail's size: large enough to tell scenes apart, too small to see people move in.
WIDTH, HEIGHT = 32, 24
BINS = 16
# Both must be passed: a pan moves pixels and keeps the histogram, a flash the other way round.
MAX_DIFFERENCE = 0.6
MAX_HISTOGRAM_DIFFERENCE = 0.15


class Thumbnail(NamedTuple):
    """What is remembered of a frame.

    Attributes:
        pixels: float32 `(24, 32)`, gray, zero mean and unit variance.
        histogram: float32 `(16,)` of gray levels, summing to 1.
    """

    pixels: npt.NDArray[np.float32]
    histogram: npt.NDArray[np.float32]


def thumbnail(image: Image) -> Thumbnail:
    """Sample a BGR uint8 frame `(h, w, 3)`; its cost does not depend on the frame's size."""
    small = cv2.resize(image, (WIDTH, HEIGHT), interpolation=cv2.INTER_NEAREST)
    gray = cv2.cvtColor(small, cv2.COLOR_BGR2GRAY)
    pixels = gray.astype(np.float32)
    histogram = cv2.calcHist([gray], [0], None, [BINS], [0, 256]).ravel() / gray.size
    deviation = max(float(pixels.std()), 1.0)
    return Thumbnail((pixels - pixels.mean()) / deviation, histogram)  # type: ignore[arg-type]


def is_cut(before: Thumbnail, now: Thumbnail) -> bool:
    """Decide whether two frames in a row show different scenes."""
    # 1 - correlation, and half the sum of differences: both 0 for the same, 1 for strangers.
    difference = 1.0 - float((before.pixels * now.pixels).mean())
    histogram = 0.5 * float(np.abs(before.histogram - now.histogram).sum())
    return difference > MAX_DIFFERENCE and histogram > MAX_HISTOGRAM_DIFFERENCE


class CutDetector:
    """Looks at every frame of a video in turn."""

    def __init__(self) -> None:
        self._before: Thumbnail | None = None

    def see(self, image: Image) -> bool:
        """Whether a new scene begins with this BGR uint8 frame; never with the first."""
        now = thumbnail(image)
        before, self._before = self._before, now
        return before is not None and is_cut(before, now)
