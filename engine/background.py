"""Detection beside the loop: one frame at a time, on a thread of its own."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from concurrent.futures import Executor, Future, ThreadPoolExecutor
from typing import NamedTuple

from .tracking import Place
from .types import Detections, Frame, Image


class Late(NamedTuple):
    """A detection that is ready.

    Attributes:
        frame: the one that was detected in.
        detections: what was found.
        places: where the followed faces were in that frame.
    """

    frame: Frame
    detections: Detections
    places: Mapping[int, Place]


class BackgroundDetector:
    """Runs a detector on a worker; networks let the loop's thread go on meanwhile.

    Args:
        detector: BGR uint8 frame to detections; called on the worker only.
        executor: runs it; None for a thread. It is shut down by `close`.
    """

    def __init__(
        self, detector: Callable[[Image], Detections], executor: Executor | None = None
    ) -> None:
        self._detector = detector
        self._executor = executor or ThreadPoolExecutor(1, thread_name_prefix="detect")
        self._running: tuple[Frame, Mapping[int, Place], Future[Detections]] | None = None
        self._stale = False

    @property
    def busy(self) -> bool:
        """Whether a frame is being detected in, or was and nobody took the result."""
        return self._running is not None

    def submit(self, frame: Frame, places: Mapping[int, Place]) -> None:
        """Begin with a frame, which nobody may write to; only while not `busy`."""
        assert self._running is None
        self._stale = False
        self._running = frame, places, self._executor.submit(self._detector, frame.image)

    def discard(self) -> None:
        """Let the result that is to come be of no use: the scene has changed."""
        self._stale = True

    def take(self) -> Late | None:
        """Take the result if there is one; never waits.

        Raises:
            FerError: what the detector raised.
        """
        if self._running is None or not self._running[2].done():
            return None
        (frame, places, future), self._running = self._running, None
        detections = future.result()
        return None if self._stale else Late(frame, detections, places)

    def close(self) -> None:
        """Wait for the frame in hand, and end the worker; may be called twice."""
        self._executor.shutdown(wait=True, cancel_futures=True)
