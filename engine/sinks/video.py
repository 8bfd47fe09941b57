"""Annotated pictures as a video file."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np

from ..errors import BadInput, OutputNotWritable
from ..outputs import PendingFile
from ..types import Image
from .base import PictureSink

CODECS = {".mp4": "mp4v", ".avi": "MJPG", ".mkv": "mp4v"}
# A camera that paused longer than this leaves a jump in the video instead of a still.
LONGEST_STILL_S = 10.0


class VideoSink(PictureSink):
    """Writes pictures at a fixed rate, repeating them where the source was slower.

    Pictures of another size than the first are scaled into it with black borders.

    Raises:
        BadInput: a suffix other than those of `CODECS`.
        OutputNotWritable: the file cannot be made.
    """

    def __init__(self, path: Path, fps: float) -> None:
        if path.suffix.lower() not in CODECS:
            raise BadInput(f"{path}: unknown kind of video; end the name in {', '.join(CODECS)}")
        self._pending = PendingFile(path)
        self._fps = fps
        self._writer: cv2.VideoWriter | None = None
        self._size = (0, 0)
        self._written = 0

    def show(self, image: Image, time_s: float) -> None:
        """Append one picture; see `PictureSink.show`."""
        writer = self._open(image)
        due = round(time_s * self._fps) + 1
        if due - self._written > LONGEST_STILL_S * self._fps:
            self._written = due - 1
        fitted = _letterbox(image, self._size)
        for _ in range(max(1, due - self._written)):
            writer.write(fitted)
            self._written += 1

    def _open(self, image: Image) -> cv2.VideoWriter:
        if self._writer is None:
            self._size = (image.shape[1], image.shape[0])
            code = cv2.VideoWriter.fourcc(*CODECS[self._pending.final.suffix.lower()])
            self._writer = cv2.VideoWriter(
                str(self._pending.path), cv2.CAP_FFMPEG, code, self._fps, self._size
            )
            if not self._writer.isOpened():
                raise OutputNotWritable(
                    f"{self._pending.final}: OpenCV cannot write {self._size[0]}x{self._size[1]} "
                    f"at {self._fps:g} fps; try a name that ends in .avi"
                )
        return self._writer

    def finish(self, complete: bool) -> None:
        """Complete the file; a run without a frame leaves none. See `Sink.finish`."""
        if self._writer is None:
            self._pending.discard()
            return
        self._writer.release()
        if complete:
            self._pending.commit()


def _letterbox(image: Image, size: tuple[int, int]) -> Image:
    width, height = size
    if image.shape[:2] == (height, width):
        return image
    scale = min(width / image.shape[1], height / image.shape[0])
    small = cv2.resize(
        image, (round(image.shape[1] * scale), round(image.shape[0] * scale)),
        interpolation=cv2.INTER_AREA,
    )  # fmt: skip
    canvas = np.zeros((height, width, 3), np.uint8)
    top, left = (height - small.shape[0]) // 2, (width - small.shape[1]) // 2
    canvas[top : top + small.shape[0], left : left + small.shape[1]] = small
    return canvas
