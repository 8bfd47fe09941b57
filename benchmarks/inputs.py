"""The frames of a case: from memory, or decoded again and again."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from fer_edge.engine.errors import BadInput
from fer_edge.engine.sinks.video import VideoSink
from fer_edge.engine.sources import open_reader
from fer_edge.engine.sources.base import Reader
from fer_edge.engine.types import Frame, Image

from .scene import BUDGET_BYTES, FPS, Loop, Scene

# Rounds of the loop in an encoded scene, so that opening the file anew is rare.
ROUNDS = 10


class Again(Reader):
    """A source without an end: opened anew whenever it has ended.

    Args:
        opening: opens it.
    """

    def __init__(self, opening: Callable[[], Reader]) -> None:
        self._opening = opening
        self._reader = opening()
        self.info = self._reader.info
        self._index = 0

    def read(self) -> Frame:
        """Return the next frame, numbered on over all rounds; see `Reader.read`."""
        frame = self._reader.read()
        if frame is None:
            self._reader.close()
            self._reader = self._opening()
            frame = self._reader.read()
        if frame is None:
            raise BadInput(f"{self.info.name}: has no frames")
        index = self._index
        self._index += 1
        return Frame(frame.image, index, index / self.info.fps)

    def close(self) -> None:
        """Close the source."""
        self._reader.close()


def held(uri: str) -> Scene:
    """The first frames of a user's source, as many as the budget of memory holds.

    Raises:
        BadInput: it has no frames, is live, or its frames differ in size.
        InputNotFound: there is nothing at `uri`.
    """
    reader = open_reader(uri)
    frames: list[Image] = []
    try:
        if reader.info.live:
            raise BadInput(f"{reader.info.name}: a live source repeats nothing; give a file")
        while (frame := reader.read()) is not None:
            if frames and frame.image.shape != frames[0].shape:
                raise BadInput(f"{reader.info.name}: its frames differ in size")
            if (len(frames) + 1) * frame.image.nbytes > BUDGET_BYTES:
                break
            frames.append(frame.image)
    finally:
        reader.close()
    if not frames:
        raise BadInput(f"{uri}: has no frames")
    return Scene(frames)


def encoded(scene: Scene, folder: Path) -> Path:
    """Write a scene as an MP4 of several rounds, for runs that decode."""
    path = folder / "scene.mp4"
    with_end = VideoSink(path, FPS)
    index = 0
    for _ in range(ROUNDS):
        for image in scene.frames:
            with_end.show(image, index / FPS)
            index += 1
    with_end.finish(complete=True)
    return path


def from_memory(scene: Scene) -> Callable[[], Reader]:
    """Opens a loop over the frames of a scene."""
    return lambda: Loop(scene.frames)


def decoding(uri: str) -> Callable[[], Reader]:
    """Opens a file whose frames are decoded when they are asked for."""
    return lambda: Again(lambda: open_reader(uri))
