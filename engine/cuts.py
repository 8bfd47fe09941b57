"""Cuts in a video: frames that show another scene than the one before."""

from __future__ import annotations

from typing import NamedTuple

import cv2
import numpy as np
import numpy.typing as npt

from .types import Floats, Image

# A thumbnail's size: large enough to tell scenes apart, too small to see people move in.
WIDTH, HEIGHT = 32, 24
BINS = 16
# Both must be passed: a pan moves pixels and keeps the histogram, a flash the other way round.
MAX_DIFFERENCE = 0.6
MAX_HISTOGRAM_DIFFERENCE = 0.15


class Thumbnail(NamedTuple):
    """What is remembered of a frame.

    Attributes:
        pixels: float64 `(768,)`, gray levels less their mean.
        deviation: of the pixels, at least 1.
        histogram: float32 `(16, 1)`, numbers of pixels.
    """

    pixels: npt.NDArray[np.float64]
    deviation: float
    histogram: npt.NDArray[np.float32]


def thumbnail(image: Image) -> Thumbnail:
    """Sample a BGR uint8 frame `(h, w, 3)`; its cost does not depend on the frame's size."""
    small = cv2.resize(image, (WIDTH, HEIGHT), interpolation=cv2.INTER_NEAREST)
    gray = cv2.cvtColor(small, cv2.COLOR_BGR2GRAY)
    # OpenCV's own functions: NumPy's take as long for a thumbnail as for a picture.
    mean, deviation = cv2.meanStdDev(gray)
    histogram: Floats = cv2.calcHist([gray], [0], None, [BINS], [0, 256])  # type: ignore[assignment]
    pixels = np.subtract(gray.ravel(), mean.item(), dtype=np.float64)
    return Thumbnail(pixels, max(deviation.item(), 1.0), histogram)


def is_cut(before: Thumbnail, now: Thumbnail) -> bool:
    """Decide whether two frames in a row show different scenes."""
    # 1 - correlation, and half the sum of differences: both 0 for the same, 1 for strangers.
    likeness = np.dot(before.pixels, now.pixels) / (before.deviation * now.deviation)
    difference = 1.0 - likeness / (WIDTH * HEIGHT)
    moved = 0.5 * cv2.norm(before.histogram, now.histogram, cv2.NORM_L1)
    return bool(difference > MAX_DIFFERENCE and moved / (WIDTH * HEIGHT) > MAX_HISTOGRAM_DIFFERENCE)


class CutDetector:
    """Looks at every frame of a video in turn."""

    def __init__(self) -> None:
        self._before: Thumbnail | None = None

    def see(self, image: Image) -> bool:
        """Whether a new scene begins with this BGR uint8 frame; never with the first."""
        now = thumbnail(image)
        before, self._before = self._before, now
        return before is not None and is_cut(before, now)
