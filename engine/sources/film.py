"""The film in a container: its pictures one by one, what is broken left out and counted.

A container is what PyAV opens; the film is its largest video stream that is no cover.
"""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Iterator, Sequence
from typing import Any, cast

import av
import av.logging
from av.codec.context import Flags
from av.container import InputContainer
from av.packet import Packet
from av.stream import Disposition
from av.video.frame import VideoFrame
from av.video.reformatter import VideoReformatter
from av.video.stream import VideoStream

from ..errors import BadInput
from ..ffmpeg import threads_for
from ..types import Image
from .picture import picture_of
from .times import plausible_fps

# Of containers, as FFmpeg calls them: AVFMT_FLAG_GENPTS, AVFMT_NOTIMESTAMPS and AVFMT_TS_DISCONT.
MAKE_UP_TIMES, NO_TIMES, TIMES_JUMP = 0x1, 0x80, 0x200
# Broken packets one after the other that end a film: some demuxers fail for ever.
MOST_BROKEN = 10_000
MOST_PIXELS = 1 << 26
# What FFmpeg makes a film of, and nobody else would: text, drawn as on a terminal.
NO_FILMS = frozenset({"tty", "bin", "xbin", "adf", "idf"})
NO_VIDEO = "not a video that can be decoded; expected MP4, AVI, MKV, ..."


class Film:
    """The pictures of an open container, in the order in which they are shown.

    Args:
        container: read from here on by the film alone.
        name: for people.
        live: whether a picture must not wait for those after it.

    Attributes:
        skipped: broken packets that were left out so far.
        cut_short: whether the film's last packet lacks its end.
        ends_s: where each stream ends so far, by its number, in the container's time.

    Raises:
        BadInput: there is no film in the container, or none that can be decoded.
    """

    def __init__(self, container: InputContainer, name: str, live: bool = False) -> None:
        self.stream = _film_of(container, name)
        self.skipped = 0
        self.cut_short = False
        self.ends_s: dict[int, float] = {}
        self._container = container
        # The other streams tell where a recording ends.
        self._wanted = [self.stream] if live else list(container.streams)
        self._packets: Iterator[Packet[Any]] = iter(())
        self._decoded: deque[VideoFrame] = deque()
        self._reformatter = VideoReformatter()
        # Times that FFmpeg makes up where AVI has none are out of order.
        container.flags &= ~MAKE_UP_TIMES
        self._set_up_decoder(live)
        self._demux()

    @property
    def fps(self) -> float:
        """Frames a second, as the container says or seems to."""
        rates = [self.stream.average_rate, self.stream.guessed_rate]
        if self._container.format.flags & NO_TIMES:
            # Without times FFmpeg calls the average 25; the pictures may say their rate.
            rates.reverse()
        return plausible_fps(*(float(rate) if rate else None for rate in rates))

    def read(self) -> tuple[Image, float | None] | None:
        """The next picture and its time in the container, in seconds; None at the end.

        Raises:
            av.FFmpegError: the container cannot be read on.
        """
        while not self._decoded:
            packet = self._next_packet()
            if packet is None:
                return None
            self._decode(packet)
        frame = self._decoded.popleft()
        picture = picture_of(frame, self.stream.sample_aspect_ratio, self._reformatter)
        return picture, self._time_s(frame)

    def close(self) -> None:
        """Close the container; may be called twice."""
        # A generator that was not run to its end looks into its container.
        self._packets = iter(())
        self._decoded.clear()
        self._container.close()

    def _set_up_decoder(self, live: bool) -> None:
        decoder = self.stream.codec_context
        decoder.options = {"max_pixels": str(MOST_PIXELS)}
        if live:
            # Threads that take a frame each would hold frames back.
            decoder.thread_type = "SLICE"
            return
        # Pictures after a broken one are damaged, not lost.
        decoder.flags |= Flags.output_corrupt
        decoder.thread_type = "AUTO"
        decoder.thread_count = threads_for(decoder.width, decoder.height)

    def _demux(self) -> None:
        self._packets = self._container.demux(self._wanted)

    def _next_packet(self) -> Packet[Any] | None:
        """The next packet of the film; the last ones are empty and bring out what is left."""
        broken = 0
        while broken < MOST_BROKEN:
            try:
                packet = next(self._packets, None)
            except av.error.InvalidDataError:
                broken += 1
                # A generator that has raised is over; its container goes on.
                self._demux()
                continue
            if packet is None:
                break
            if packet.size:
                self._note_end(packet)
            if packet.stream is self.stream:
                self.skipped += broken
                self.cut_short = packet.is_corrupt if packet.size else self.cut_short
                return packet
        self.skipped += broken
        return None

    def _decode(self, packet: Packet[Any]) -> None:
        try:
            self._decoded.extend(cast(Sequence[VideoFrame], packet.decode()))
        except av.error.EOFError:
            pass
        except av.FFmpegError:
            self.skipped += 1

    def _note_end(self, packet: Packet[Any]) -> None:
        begins = packet.dts if packet.pts is None else packet.pts
        if begins is not None and packet.time_base is not None:
            end_s = float((begins + (packet.duration or 0)) * packet.time_base)
            index = packet.stream_index
            self.ends_s[index] = max(end_s, self.ends_s.get(index, end_s))

    def _time_s(self, frame: VideoFrame) -> float | None:
        # Where there is no presentation time, frames come in its order nevertheless.
        at = frame.dts if frame.pts is None else frame.pts
        time_base = self.stream.time_base
        return None if at is None or time_base is None else float(at * time_base)


def _film_of(container: InputContainer, name: str) -> VideoStream:
    if container.format.name in NO_FILMS:
        raise BadInput(f"{name}: {NO_VIDEO}")
    covers = Disposition.attached_pic | Disposition.timed_thumbnails
    films = [s for s in container.streams.video if not Disposition(s.disposition) & covers]
    if not films:
        what = "a cover picture, no film" if container.streams.video else "no film in it"
        raise BadInput(f"{name}: has {what}; give a video")
    readable = [film for film in films if film.codec_context is not None]
    if not readable:
        raise BadInput(f"{name}: no decoder here for its codec{_codec_names(container)}")
    largest = max(readable, key=lambda film: film.width * film.height)
    if largest.width * largest.height > MOST_PIXELS:
        raise BadInput(
            f"{name}: frames of {largest.width}x{largest.height} are too large; "
            f"up to {MOST_PIXELS:,} pixels"
        )
    return largest


def _codec_names(container: InputContainer) -> str:
    """Names of the codecs that have no decoder, which PyAV tells in a log alone."""
    level = av.logging.get_level()
    av.logging.set_level(av.logging.INFO)
    try:
        text = container.dumps_format()  # type: ignore[attr-defined]
    finally:
        av.logging.set_level(level)
    names = re.findall(r"Video: (?:none \((\w+)|(\w+))", text)
    return "".join(f" {tag or codec}" for tag, codec in names)
