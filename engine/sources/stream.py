"""Streams: films in the network that have no end."""

from __future__ import annotations

from contextlib import ExitStack
from time import perf_counter, sleep

import av
from av.container import InputContainer

from ..errors import SourceFailed
from ..ffmpeg import reason
from ..types import Frame
from .base import Reader, SourceInfo
from .film import NO_TIMES, Film
from .times import ArrivalTimes, PresentationTimes

# A playlist gives many seconds of film at once, to be shown at their own pace.
IN_PORTIONS = frozenset({"hls"})
LONGEST_WAIT_S = 1.0


class Stream(Reader):
    """A stream without an end, as RTSP, RTMP, UDP and HTTP cameras give it.

    Times are the stream's presentation times since the first frame; where it has none (Motion
    JPEG), those of arrival.

    Args:
        container: closed by the stream.
        name: for people.

    Raises:
        BadInput: there is no film in the stream, or none that can be decoded.
    """

    def __init__(self, container: InputContainer, name: str) -> None:
        with ExitStack() as opened:
            opened.callback(container.close)
            self._film = Film(container, name, live=True)
            opened.pop_all()
        self.info = SourceInfo(name, self._film.fps, None, True)
        self._timed = not container.format.flags & NO_TIMES
        self._presentation = PresentationTimes(self._film.fps)
        self._arrival = ArrivalTimes()
        self._in_portions = container.format.name in IN_PORTIONS
        self._began_s = perf_counter()
        self._index = 0

    def read(self) -> Frame:
        """Return the next frame; see `Reader.read`."""
        try:
            picture = self._film.read()
        except av.FFmpegError as error:
            raise self._ended(f" ({reason(error)})") from error
        if picture is None:
            raise self._ended()
        image, presented_s = picture
        time_s = self._presentation.of(presented_s) if self._timed else self._arrival.now()
        if self._in_portions:
            self._wait_until(time_s)
        frame = Frame(image, self._index, time_s)
        self._index += 1
        return frame

    def close(self) -> None:
        """Close the connection; may be called twice."""
        self._film.close()

    def _wait_until(self, time_s: float) -> None:
        early_s = self._began_s + time_s - perf_counter()
        if early_s > 0:
            sleep(min(early_s, LONGEST_WAIT_S))
        else:
            # Late for once, the rest is late too.
            self._began_s -= early_s

    def _ended(self, why: str = "") -> SourceFailed:
        return SourceFailed(f"{self.info.name}: gives no more frames after {self._index}{why}")
