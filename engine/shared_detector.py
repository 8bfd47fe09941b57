"""The detector that several sources share."""

from __future__ import annotations

import threading
from time import perf_counter

from .detector import FindFaces
from .types import Detections, Image


class SharedDetector:
    """The detector that all sources share, one frame at a time, whichever thread it is on."""

    def __init__(self, detector: FindFaces, anywhere: bool) -> None:
        self.anywhere = anywhere
        self._detector = detector
        self._one_at_a_time = threading.Lock()

    def __call__(self, image: Image) -> Detections:
        """Find the faces of a frame; see `Detector`."""
        with self._one_at_a_time:
            return self._detector(image)


class WatchedDetector:
    """A shared detector under one source's least score, and how long it took.

    Suppression works from the best score downwards, so that leaving out the low ones after
    it is the same as before it.
    """

    def __init__(self, detector: SharedDetector, min_score: float) -> None:
        self._shared = detector
        self._least = min_score
        self._spent: tuple[float, int] | None = None

    def __call__(self, image: Image) -> Detections:
        """Find the faces of a frame; see `Detector`."""
        started_s = perf_counter()
        found = self._shared(image)
        kept = found.scores > self._least
        self._spent = (perf_counter() - started_s, threading.get_ident())
        return found.take(kept)

    def take(self) -> tuple[float | None, bool]:
        """Seconds of the last detection, once, and whether another thread made it."""
        spent, self._spent = self._spent, None
        return (None, False) if spent is None else (spent[0], spent[1] != threading.get_ident())
