"""A feed whose frames are decoded before they are asked for."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from queue import Empty, Full, Queue

from ..types import Frame
from .base import LosslessFeed, Reader

# A frame of 3840x2160 takes 25 MB.
FRAMES_AHEAD = 4
# How often a thread that waits looks whether it shall stop.
LOOK_EVERY_S = 0.1


class ReadAheadFeed(LosslessFeed):
    """Gives every frame, read by a thread that is a few frames ahead.

    An error of the reader comes after the frames before it.
    """

    def __init__(self, reader: Reader) -> None:
        super().__init__(reader)
        self._ahead: Queue[Frame | Exception | None] = Queue(FRAMES_AHEAD)
        self._thread = threading.Thread(target=self._read_ahead, name="read ahead", daemon=True)

    def __iter__(self) -> Iterator[Frame]:
        self._thread.start()
        while (frame := self._next()) is not None:
            self._captured += 1
            self._delivered += 1
            yield frame

    def _next(self) -> Frame | None:
        """The next frame; None at the end or once it was stopped."""
        while not self._stopped.is_set():
            try:
                item = self._ahead.get(timeout=LOOK_EVERY_S)
            except Empty:
                continue
            if isinstance(item, Exception):
                raise item
            return item
        return None

    def _read_ahead(self) -> None:
        item: Frame | Exception | None = None
        while not self._stopped.is_set():
            try:
                item = self._decoded()
            except Exception as error:
                item = error
            self._put(item)
            if not isinstance(item, Frame):
                return

    def _put(self, item: Frame | Exception | None) -> None:
        while not self._stopped.is_set():
            try:
                self._ahead.put(item, timeout=LOOK_EVERY_S)
            except Full:
                continue
            return

    def close(self) -> None:
        """Stop, wait for the thread, and let the source go; may be called twice."""
        self._close_after(self._thread)
