"""Pictures, and the sound that belongs to them, encoded into one file."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path
from typing import Any, cast

import av
import cv2
from av.audio.stream import AudioStream
from av.bitstream import BitStreamFilterContext
from av.packet import Packet
from av.video.frame import PictureType, VideoFrame
from av.video.reformatter import VideoReformatter
from av.video.stream import VideoStream

from ..ffmpeg import local, threads_for
from ..types import Image
from .sound import Sound
from .ticks import EqualTicks, OwnTicks
from .video_kinds import VideoKind

# About so much is lost with the process.
KEY_FRAME_EVERY_S = 1.0
# FFmpeg's numbers: SWS_CS_ITU601 is what OpenCV converts to, and AVCOL_RANGE_MPEG.
BT601, LIMITED_RANGE = 5, 1


class FilmWriter:
    """Writes pictures at their own times.

    What was written a second ago can be read even when the process is killed.

    Args:
        path: of the file.
        kind: of the file.
        size: width and height of the pictures, both even.
        fps: frames a second, as the file's header shall say.
        sound: goes with the pictures; None without any. Closed by the caller.

    Raises:
        av.FFmpegError: the file cannot be opened, or there is no such encoder.
    """

    def __init__(
        self, path: Path, kind: VideoKind, size: tuple[int, int], fps: float, sound: Sound | None
    ) -> None:
        muxing = {"flush_packets": "1", "max_interleave_delta": "1000000", **kind.muxing}
        if "movflags" in muxing and path.is_file():
            # In the end its pieces become one film, whose length players know at once.
            muxing["movflags"] += "+hybrid_fragmented"
        self._container = av.open(local(path), "w", kind.muxer, options=muxing)
        rate = Fraction(fps).limit_denominator(1001)
        self._tick_s = 1 / rate if kind.clock is None else Fraction(1, kind.clock)
        self._ticks = EqualTicks(fps) if kind.clock is None else OwnTicks(kind.clock, fps)
        self._film = self._add_film(kind, size, rate)
        self._reformatter = VideoReformatter()
        self._sound = sound
        self._track = self._add_track(sound)
        self._bare = _unwrapping(kind, sound)
        self._next_key_s = 0.0
        self._end_s = 0.0

    @property
    def carries_sound(self) -> bool:
        """Whether there is sound, and this kind of file can carry it."""
        return self._track is not None

    def write(self, image: Image, time_s: float) -> None:
        """Append a picture, BGR uint8 of the writer's size, at its time in seconds.

        Raises:
            av.FFmpegError: the encoder cannot be opened, or the disk does not take it.
        """
        ticks = self._ticks.of(time_s)
        begins_s = float(ticks[0] * self._tick_s)
        frame = self._frame(image)
        frame.pts, frame.time_base = ticks[0], self._tick_s
        if begins_s >= self._next_key_s:
            frame.pict_type = PictureType.I
            self._next_key_s = begins_s + KEY_FRAME_EVERY_S
        self._copy_sound(begins_s)
        for packet in self._film.encode(frame):
            self._container.mux(packet)
            for tick in ticks[1:]:
                self._container.mux(self._repeated(packet, tick))
        self._end_s = float(ticks[-1] * self._tick_s) + self._ticks.period_s

    def close(self) -> None:
        """Complete the file; called once.

        Raises:
            av.FFmpegError: the disk does not take it.
        """
        try:
            self._copy_sound(self._end_s)
            self._container.mux(self._film.encode())
        finally:
            self._container.close()

    def _add_film(self, kind: VideoKind, size: tuple[int, int], rate: Fraction) -> VideoStream:
        options = dict(kind.options)
        film = cast(VideoStream, self._container.add_stream(kind.encoder, rate, options))
        film.width, film.height = size
        film.pix_fmt = kind.pixels
        film.thread_count = threads_for(*size)
        film.time_base = film.codec_context.time_base = self._tick_s
        if kind.pixels == "yuv420p":
            film.codec_context.colorspace = BT601
            film.codec_context.color_range = LIMITED_RANGE
        return film

    def _add_track(self, sound: Sound | None) -> AudioStream | None:
        if sound is None:
            return None
        try:
            return self._container.add_stream_from_template(sound.track)
        except ValueError:  # the container has no place for this codec
            return None

    def _frame(self, image: Image) -> VideoFrame:
        if self._film.pix_fmt == "yuv420p" and image.shape[0] % 4 == 0:
            # Half of the time that FFmpeg takes; PyAV reads planes of such heights only.
            yuv = cast(Image, cv2.cvtColor(image, cv2.COLOR_BGR2YUV_I420))
            return VideoFrame.from_numpy_buffer(yuv, "yuv420p")
        return self._reformatter.reformat(
            VideoFrame.from_ndarray(image, "bgr24"), format=self._film.pix_fmt, threads=1
        )

    def _repeated(self, packet: Packet[Any], tick: int) -> Packet[Any]:
        again: Packet[Any] = Packet(bytes(packet))
        again.stream, again.time_base = self._film, self._tick_s
        again.pts = again.dts = tick
        again.is_keyframe = packet.is_keyframe
        return again

    def _copy_sound(self, until_s: float) -> None:
        if self._sound is None or self._track is None:
            return
        for sound in self._sound.until(until_s):
            for packet in [sound] if self._bare is None else self._bare.filter(sound):
                packet.stream = self._track
                self._container.mux(packet)


def _unwrapping(kind: VideoKind, sound: Sound | None) -> BitStreamFilterContext | None:
    """Takes off the headers that broadcasts put before each packet of AAC, for MP4."""
    if sound is None or kind.muxer != "mp4":
        return None
    codec = sound.track.codec_context
    headed = codec.name == "aac" and not codec.extradata
    return BitStreamFilterContext("aac_adtstoasc", sound.track) if headed else None
