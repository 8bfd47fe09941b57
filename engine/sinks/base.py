"""What every sink looks like."""

from __future__ import annotations

from abc import ABC, abstractmethod

from ..types import FrameResult, Image


class Sink(ABC):
    """Takes the results of a run, one call a frame, in order.

    A context manager: left without an error it makes its output complete, left with
    one it keeps what it has under the pending name.
    """

    @abstractmethod
    def write(self, result: FrameResult) -> None:
        """Take one result.

        Raises:
            OutputNotWritable: the result cannot be stored.
        """

    @abstractmethod
    def finish(self, complete: bool) -> None:
        """Close the output; move it to its final name if the run was `complete`."""

    def __enter__(self) -> Sink:
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        self.finish(complete=kind is None)


class PictureSink(ABC):
    """Takes annotated pictures; see `Annotated`."""

    @abstractmethod
    def show(self, image: Image, time_s: float) -> None:
        """Take one picture, BGR uint8 `(h, w, 3)`, and its time in the source."""

    @abstractmethod
    def finish(self, complete: bool) -> None:
        """Close the output; see `Sink.finish`."""
