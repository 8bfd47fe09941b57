"""What every source looks like, and how its frames reach the pipeline."""

from __future__ import annotations

import threading
from abc import ABC, abstractmethod
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

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

    Attributes:
        info: of the source.
        newest_only: whether it drops frames that nobody took in time.
    """

    info: SourceInfo
    newest_only = False

    @property
    @abstractmethod
    def captured(self) -> int:
        """Frames taken from the source so far."""

    @property
    @abstractmethod
    def dropped(self) -> int:
        """Frames taken from the source that nobody was given."""

    @abstractmethod
    def __iter__(self) -> Iterator[Frame]: ...

    @abstractmethod
    def stop(self) -> None:
        """End the iteration soon."""

    @abstractmethod
    def close(self) -> None:
        """Stop and let the source go; may be called twice."""

    def __enter__(self) -> Feed:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


class LosslessFeed(Feed):
    """Gives every frame of a reader, read when it is asked for."""

    def __init__(self, reader: Reader) -> None:
        self.info = reader.info
        self._reader = reader
        self._stopped = threading.Event()
        self._captured = 0

    @property
    def captured(self) -> int:
        """Frames taken from the source so far."""
        return self._captured

    @property
    def dropped(self) -> int:
        """None: see `Feed`."""
        return 0

    def __iter__(self) -> Iterator[Frame]:
        while not self._stopped.is_set():
            with span("decode"):
                frame = self._reader.read()
            if frame is None:
                return
            self._captured += 1
            yield frame

    def stop(self) -> None:
        """End the iteration soon."""
        self._stopped.set()

    def close(self) -> None:
        """Stop and let the source go; may be called twice."""
        self.stop()
        self._reader.close()
