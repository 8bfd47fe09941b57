"""What every source looks like, and how its frames reach the pipeline."""

from __future__ import annotations

import threading
from abc import ABC, abstractmethod
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from time import perf_counter

from ..errors import FerError, SourceFailed
from ..tracing import span
from ..types import Frame


@dataclass(frozen=True)
class SourceInfo:
    """What is known of a source before its first frame.

    Attributes:
        name: for people, without credentials.
        fps: frames a second of the source's own time.
        frame_count: None where the source has no known end.
        live: whether waiting loses frames (cameras and streams).
        stills: whether each frame is a picture of its own, with nothing to follow from
            one to the next.
        file: the film's file on this machine, for its sound; None without one.
        begins_s: when its first frame is shown, in seconds of the file's own time.
    """

    name: str
    fps: float
    frame_count: int | None
    live: bool
    stills: bool = False
    file: Path | None = None
    begins_s: float = 0.0


class Reader(ABC):
    """Reads one source frame by frame; blocking, used from one thread."""

    info: SourceInfo

    @abstractmethod
    def read(self) -> Frame | None:
        """Return the next frame, which the caller owns, or None at the end.

        Raises:
            SourceFailed: the source broke off.
        """

    @abstractmethod
    def close(self) -> None:
        """Let the device or file go; may be called twice."""


class Feed(ABC):
    """Frames for one consumer, with exact counts: `captured = processed + dropped`.

    Iterate over it inside `with`; `stop()` may be called from a signal handler or
    another thread and ends the iteration after the frame in hand.
    """

    def __init__(self, reader: Reader) -> None:
        self.info = reader.info
        self._reader = reader
        self._stopped = threading.Event()
        self._captured = 0
        self._delivered = 0

    @property
    def captured(self) -> int:
        """Frames taken from the source so far."""
        return self._captured

    @property
    def dropped(self) -> int:
        """Frames taken from the source that nobody was given."""
        return self._captured - self._delivered

    @abstractmethod
    def __iter__(self) -> Iterator[Frame]: ...

    def _decoded(self) -> Frame | None:
        with span("decode"):
            try:
                return self._reader.read()
            except FerError:
                raise
            except Exception as error:  # of a library, or a bug: it ends the run, not a thread
                raise SourceFailed(
                    f"{self.info.name}: cannot be read on ({type(error).__name__}: {error})"
                ) from error

    def stop(self) -> None:
        """End the iteration soon."""
        self._stopped.set()

    def _close_after(self, thread: threading.Thread) -> None:
        """Stop, wait for the thread that reads, and let the source go."""
        self.stop()
        if thread.ident is not None:
            # A camera that hangs in its driver, or a file on a server that is gone, must not
            # keep the program from ending.
            thread.join(timeout=2.0)
        if not thread.is_alive():
            self._reader.close()

    def close(self) -> None:
        """Stop and let the source go; may be called twice."""
        self.stop()
        self._reader.close()

    def __enter__(self) -> Feed:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


class LosslessFeed(Feed):
    """Gives every frame, read when it is asked for."""

    def __iter__(self) -> Iterator[Frame]:
        while not self._stopped.is_set():
            frame = self._decoded()
            if frame is None:
                return
            self._captured += 1
            self._delivered += 1
            yield frame


class LiveFeed(Feed):
    """Gives the newest frame, read by a thread; older ones that nobody took are dropped.

    Args:
        reader: the source.
        paced: hold each frame back until its own time, so that a file plays as a
            camera would; for readers that do not wait by themselves.
    """

    def __init__(self, reader: Reader, paced: bool = False) -> None:
        super().__init__(reader)
        self._paced = paced
        self._changed = threading.Condition()
        self._newest: Frame | None = None
        self._ended = False
        self._error: FerError | None = None
        self._thread = threading.Thread(target=self._capture, name="capture", daemon=True)

    def __iter__(self) -> Iterator[Frame]:
        self._thread.start()
        while (frame := self._take()) is not None:
            yield frame
        if self._error is not None and not self._stopped.is_set():
            raise self._error

    def _take(self) -> Frame | None:
        with self._changed:
            while self._newest is None and not self._ended and not self._stopped.is_set():
                # stop() may run in a signal handler, which must not take this lock
                # to notify: so look again now and then.
                self._changed.wait(timeout=0.05)
            if self._stopped.is_set():
                return None
            frame, self._newest = self._newest, None
            if frame is not None:
                self._delivered += 1
            return frame

    def _capture(self) -> None:
        started = perf_counter()
        error: FerError | None = None
        try:
            while not self._stopped.is_set() and (frame := self._decoded()) is not None:
                if self._paced:
                    self._stopped.wait(started + frame.time_s - perf_counter())
                with self._changed:
                    self._captured += 1
                    self._newest = frame
                    self._changed.notify()
        except FerError as failure:
            error = failure
        with self._changed:
            self._error = error
            self._ended = True
            self._changed.notify()

    def close(self) -> None:
        """Stop, wait for the capture thread, and let the source go; may be called twice."""
        self._close_after(self._thread)
