"""Annotated pictures as a video file."""

from __future__ import annotations

import logging
import threading
from contextlib import suppress
from pathlib import Path
from queue import Full, Queue
from typing import cast

import av
import cv2
import numpy as np
from av.codec.codec import UnknownCodecError

from ..errors import OutputNotWritable
from ..ffmpeg import reason
from ..outputs import PendingFile
from ..tracing import span
from ..types import Image
from .base import PictureSink
from .film_writer import FilmWriter
from .sound import Sound
from .video_kinds import AUTO, video_kind

PICTURES_WAITING = 4
# How often a full queue is looked at, whose thread may have failed.
LOOK_EVERY_S = 0.1

log = logging.getLogger("fer_edge")


class VideoSink(PictureSink):
    """Writes pictures at their own times, encoded by a thread of its own.

    H.264 in .mp4 and .mkv, VP8 in .webm, Motion JPEG in .avi, which knows one rate only and
    repeats pictures where the source was slower. Pictures of another size than the first are
    scaled into it with black borders; an odd width or height is made even by repeating the last
    column or row.

    Args:
        path: of the file.
        fps: frames a second, about; for .avi exactly.
        encoder: a name of `video_kinds.ENCODERS`.

    Raises:
        BadInput: a suffix of no `video_kinds.KINDS`, or an encoder that is not for it.
        OutputNotWritable: the file cannot be made.
    """

    def __init__(self, path: Path, fps: float, encoder: str = AUTO) -> None:
        self._kind = video_kind(path, encoder)
        self._pending = PendingFile(path)
        self._fps = fps
        self._sound: Sound | None = None
        self._size = (0, 0)
        self._writer: FilmWriter | None = None
        self._stored = False
        self._waiting: Queue[tuple[Image, float] | None] = Queue(PICTURES_WAITING)
        self._error: Exception | None = None
        self._thread = threading.Thread(target=self._run, name="encode", daemon=True)

    def add_sound(self, sound: Sound | None) -> None:
        """Copy a sound beside the pictures, as far as they go, where the file can carry it.

        Call it before the first picture; the sink closes the sound.
        """
        self._sound = sound

    def show(self, image: Image, time_s: float) -> None:
        """Append one picture, which must not change any more; see `PictureSink.show`.

        Raises:
            OutputNotWritable: this picture, or one shortly before it, cannot be stored.
        """
        if self._thread.ident is None:
            self._thread.start()
        self._put((image, time_s))
        if self._error is not None:
            raise self._error

    def finish(self, complete: bool) -> None:
        """Complete the file; a run without a picture leaves none. See `Sink.finish`."""
        if self._thread.ident is not None:
            self._put(None)
            self._thread.join()
        if self._sound is not None:
            self._sound.close()
        if not self._stored:
            self._pending.discard()
        if complete and self._error is not None:
            raise self._error
        if self._stored:
            self._pending.commit() if complete else self._pending.keep()

    def _put(self, item: tuple[Image, float] | None) -> None:
        """Hand something to the thread, or nothing to one that has failed."""
        while self._error is None:
            try:
                self._waiting.put(item, timeout=LOOK_EVERY_S)
            except Full:
                continue
            return

    def _run(self) -> None:
        try:
            while (item := self._waiting.get()) is not None:
                with span("encode"):
                    self._write(*item)
            if self._writer is not None:
                self._writer.close()
        except (av.FFmpegError, UnknownCodecError) as error:
            self._error = self._explained(error)
            self._close_quietly()
        except Exception as error:
            self._error = error
            self._close_quietly()

    def _write(self, image: Image, time_s: float) -> None:
        if self._writer is None:
            self._size = _even(image.shape[1]), _even(image.shape[0])
            self._writer = self._open(self._sound)
        fitted = _fitted(image, self._size)
        try:
            self._writer.write(fitted, time_s)
        except av.FFmpegError:
            if self._stored or not self._writer.carries_sound:
                raise
            # Some containers say only when they begin what sound they do not take.
            self._close_quietly()
            self._writer = self._open(None)
            self._writer.write(fitted, time_s)
        self._stored = True

    def _open(self, sound: Sound | None) -> FilmWriter:
        writer = FilmWriter(self._pending.path, self._kind, self._size, self._fps, sound)
        if self._sound is not None and not writer.carries_sound:
            final = self._pending.final
            log.warning("%s: without sound, which %s cannot carry", final, final.suffix)
        return writer

    def _close_quietly(self) -> None:
        """What the disk still takes makes the file readable."""
        if self._writer is not None:
            with suppress(av.FFmpegError):
                self._writer.close()

    def _explained(self, error: av.FFmpegError | UnknownCodecError) -> OutputNotWritable:
        why = reason(error) if isinstance(error, av.FFmpegError) else "FFmpeg here lacks it"
        final, encoder = self._pending.final, self._kind.encoder
        if self._stored or encoder == video_kind(final).encoder:
            width, height = self._size
            what = "" if self._stored else f" at {width}x{height}"
            return OutputNotWritable(f"{final}: cannot be written{what} ({why})")
        return OutputNotWritable(
            f"{final}: --encoder {encoder} cannot be used here ({why}); leave it out"
        )


def _even(length: int) -> int:
    return length + length % 2


def _fitted(image: Image, size: tuple[int, int]) -> Image:
    """A picture of a size: as it is, with a last column or row more, or scaled, with borders."""
    width, height = size
    more_x, more_y = width - image.shape[1], height - image.shape[0]
    if more_x == more_y == 0:
        return image
    if 0 <= more_x <= 1 and 0 <= more_y <= 1:
        return cast(Image, cv2.copyMakeBorder(image, 0, more_y, 0, more_x, cv2.BORDER_REPLICATE))
    scale = min(width / image.shape[1], height / image.shape[0])
    scaled = max(1, round(image.shape[1] * scale)), max(1, round(image.shape[0] * scale))
    small = cv2.resize(image, scaled, interpolation=cv2.INTER_AREA)
    canvas = np.zeros((height, width, 3), np.uint8)
    top, left = (height - small.shape[0]) // 2, (width - small.shape[1]) // 2
    canvas[top : top + small.shape[0], left : left + small.shape[1]] = small
    return canvas
