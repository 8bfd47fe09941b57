"""A feed whose frames are captured by a thread of their own."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator

from ..types import Frame
from .base import Feed, Reader
from .capture import Capture

# How often the loop looks whether it shall stop: `stop` may run in a signal handler, which must
# not take a lock to notify it.
LOOK_EVERY_S = 0.05
# A camera that hangs in its driver, or a file on a server that is gone, must not keep the program
# from ending.
LONGEST_CLOSE_S = 2.0


class CapturedFeed(Feed):
    """Gives the frames of a `Capture`; an error of the source comes after the frames before it.

    Args:
        reader: the source, open; the feed closes it.
        every: whether it waits for whoever takes its frames; else it drops all but the newest.
        opener, reconnect_s: see `Capture`; without them a failure is the end.
    """

    def __init__(
        self,
        reader: Reader,
        every: bool,
        opener: Callable[[], Reader] | None = None,
        reconnect_s: float = 0.0,
    ) -> None:
        self.info = reader.info
        self.newest_only = not every
        self._stopped = threading.Event()
        self._arrived = threading.Condition()
        # A source that nothing opens again is never asked to be.
        again, wait_s = (opener, reconnect_s) if opener else (lambda: reader, 0.0)
        self._capture = Capture(again, lambda _: every, wait_s, self._arrived, reader=reader)

    @property
    def captured(self) -> int:
        """Frames taken from the source so far."""
        return self._capture.captured

    @property
    def dropped(self) -> int:
        """Frames taken from the source that nobody was given."""
        return self._capture.dropped

    def __iter__(self) -> Iterator[Frame]:
        self._capture.start()
        while (frame := self._next()) is not None:
            yield frame
        if self._capture.error is not None and not self._stopped.is_set():
            raise self._capture.error

    def _next(self) -> Frame | None:
        """The next frame; None at the end, after an error, or once it was stopped."""
        with self._arrived:
            while not self._stopped.is_set():
                arrival = self._capture.take()
                if arrival is not None:
                    return arrival.frame
                if self._capture.over:
                    return None
                self._arrived.wait(LOOK_EVERY_S)
        return None

    def stop(self) -> None:
        """End the iteration soon."""
        self._stopped.set()

    def close(self) -> None:
        """Stop, wait for the thread, and let the source go; may be called twice."""
        self.stop()
        self._capture.stop()
        self._capture.join(LONGEST_CLOSE_S)
