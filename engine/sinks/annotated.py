"""Annotated pictures for a sink that shows them."""

from __future__ import annotations

from ..draw import annotate
from ..tracing import span
from ..types import FrameResult
from .base import PictureSink, Sink


class Annotated(Sink):
    """Draws the faces into a copy of the frame and hands it to a picture sink.

    Args:
        sink: where the pictures go.
        blur: hide every face in the picture.
        landmarks: draw them, where faces are not hidden.
    """

    def __init__(self, sink: PictureSink, blur: bool = False, landmarks: bool = False) -> None:
        self._sink = sink
        self._blur = blur
        self._landmarks = landmarks

    def write(self, result: FrameResult) -> None:
        """Draw and show one result; see `Sink.write`."""
        with span("draw"):
            image = annotate(result, self._blur, self._landmarks)
        self._sink.show(image, result.frame.time_s)

    def finish(self, complete: bool) -> None:
        """Close the picture sink; see `Sink.finish`."""
        self._sink.finish(complete)
