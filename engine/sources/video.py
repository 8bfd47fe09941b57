"""Recordings: films that have an end, in files and at addresses."""

from __future__ import annotations

import logging
from contextlib import ExitStack
from pathlib import Path

import av
from av.container import InputContainer

from ..errors import BadInput, SourceFailed
from ..ffmpeg import reason
from ..types import Frame
from .base import Reader, SourceInfo
from .film import NO_TIMES, NO_VIDEO, TIMES_JUMP, Film
from .times import PresentationTimes

# Raw streams are guessed from their size, what a duration is read from the last packet.
NO_PROMISE = NO_TIMES | TIMES_JUMP
# A container rounds its duration, and seldom knows how long the last picture stands.
SLACK_S, SLACK_SHARE = 1.0, 0.05

log = logging.getLogger("fer_edge")


class Recording(Reader):
    """Every frame of a film that has an end.

    Times are the container's presentation times since the first frame; see
    `PresentationTimes`. The end is that of the film: sound may go on. Broken packets are
    skipped, and their number is logged at the end.

    Args:
        container: closed by the recording.
        name: for people.
        file: what is opened, where it is a file of this machine.

    Raises:
        BadInput: not even one frame can be decoded.
        SourceFailed: the container cannot be read.
    """

    def __init__(self, container: InputContainer, name: str, file: Path | None = None) -> None:
        with ExitStack() as opened:
            opened.callback(container.close)
            self._film = Film(container, name)
            try:
                self._first = self._film.read()
            except av.FFmpegError as error:
                raise SourceFailed(f"{name}: cannot be read ({reason(error)})") from error
            if self._first is None:
                raise BadInput(f"{name}: {NO_VIDEO}")
            opened.pop_all()
        self._container = container
        self.info = SourceInfo(
            name, self._film.fps, self._frame_count(), live=False, file=file,
            begins_s=self._first[1] or 0.0,
        )  # fmt: skip
        self._times = PresentationTimes(self._film.fps)
        self._index = 0
        self._last_s = 0.0
        self._longest_s = 0.0
        self._failed = False

    def read(self) -> Frame | None:
        """Return the next frame; see `Reader.read`."""
        picture, self._first = self._first, None
        try:
            picture = picture or self._film.read()
        except av.FFmpegError as error:
            raise self._broke_off(reason(error)) from error
        if picture is None:
            self._check_complete()
            return None
        image, presented_s = picture
        frame = Frame(image, self._index, self._times.of(presented_s))
        self._index += 1
        self._longest_s = max(self._longest_s, frame.time_s - self._last_s)
        self._last_s = frame.time_s
        return frame

    def close(self) -> None:
        """Close the file and say what was skipped; may be called twice."""
        skipped, self._film.skipped = self._film.skipped, 0
        if skipped and not self._failed:
            log.warning("%s: broken packets skipped: %d", self.info.name, skipped)
        self._film.close()

    def _frame_count(self) -> int | None:
        """About how many frames there are, as the container says."""
        counted = self._film.stream.frames
        if counted or not self._container.duration:
            return counted or None
        return max(1, round(self._container.duration / av.time_base * self._film.fps))

    def _check_complete(self) -> None:
        """Fail where the file ends before the duration that it promises."""
        if self._container.format.flags & NO_PROMISE:
            return
        reached_s, promised_s = self._reached_and_promised_s()
        # The last picture may stand as long as any before it.
        slack_s = max(min(SLACK_S, SLACK_SHARE * promised_s), 2 * self._longest_s)
        if reached_s < promised_s - slack_s:
            raise self._broke_off(f"{reached_s:.1f} of {promised_s:.1f} s")
        if self._film.cut_short:
            raise self._broke_off("in the middle of a packet")

    def _reached_and_promised_s(self) -> tuple[float, float]:
        """Of the film where the container knows its duration, else of any stream."""
        film, ends_s = self._film.stream, self._film.ends_s
        if film.duration and film.start_time is not None and film.time_base:
            begins_s = float(film.start_time * film.time_base)
            reached_s = ends_s.get(film.index, begins_s) - begins_s
            return reached_s, float(film.duration * film.time_base)
        return max(ends_s.values(), default=0.0), (self._container.duration or 0) / av.time_base

    def _broke_off(self, where: str) -> SourceFailed:
        self._failed = True
        return SourceFailed(
            f"{self.info.name}: damaged, broke off after {self._index} frames ({where}); "
            "results up to there are kept"
        )
