"""Small films of many kinds, whose pictures say their number, made with PyAV."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
from av.stream import Disposition

STEP, FIRST = 9, 40


def numbered(index: int, size: tuple[int, int] = (64, 48)) -> np.ndarray:
    """A picture, BGR uint8 `(h, w, 3)`, whose gray level says its number, below 20."""
    return np.full((size[1], size[0], 3), STEP * index + FIRST, np.uint8)


def number_of(image: np.ndarray) -> int:
    return round((float(image.mean()) - FIRST) / STEP)


def write_film(
    path: Path,
    times_s: Sequence[float],
    codec: str = "libx264",
    *,
    images: Sequence[np.ndarray] | None = None,
    size: tuple[int, int] = (64, 48),
    rate: int = 30,
    clock: int = 90_000,
    pixels: str = "yuv420p",
    options: Mapping[str, str] | None = None,
    muxer: str | None = None,
    muxing: Mapping[str, str] | None = None,
    sound_s: float = 0.0,
    sound: str = "aac",
    aspect: Fraction | None = None,
    rotation: tuple[float, bool, bool] | None = None,
    shift_s: float = 0.0,
) -> Path:
    """Write a film and return its path.

    Args:
        path: by its suffix the container, unless `muxer` names one.
        times_s: of its pictures.
        codec: an encoder of FFmpeg.
        images: BGR; numbered ones by default.
        rate: what the container calls its rate.
        clock: ticks a second that times are written in.
        sound_s: length of a silent sound track from 0 on, none for 0.
        rotation: degrees, and whether the picture is mirrored across and down.
        shift_s: added to the times of the film, but not to those of the sound.
    """
    if images is None:
        images = [numbered(index, size) for index in range(len(times_s))]
    with av.open(str(path), "w", muxer, options=dict(muxing or {})) as out:
        film = out.add_stream(codec, rate=rate, options=dict(options or {}))
        film.width, film.height = images[0].shape[1], images[0].shape[0]
        film.pix_fmt = pixels
        film.time_base = film.codec_context.time_base = Fraction(1, clock)
        film.thread_count = 1
        if aspect is not None:
            film.codec_context.sample_aspect_ratio = aspect
        if rotation is not None:
            film.set_display_rotation(*rotation)
        track = out.add_stream(sound, rate=48000) if sound_s else None
        packets = _encoded(film, images, times_s, clock)
        for packet in packets:
            packet.pts += round(shift_s * clock)
            packet.dts += round(shift_s * clock)
        if track is not None:
            packets += _silence(track, sound_s)
        for packet in sorted(packets, key=lambda p: p.dts * p.time_base):
            out.mux(packet)
    return path


def write_sound(path: Path, cover: bool) -> Path:
    """Write a second of silence as MP4, with a cover picture or without; returns its path."""
    with av.open(str(path), "w", "mp4") as out:
        track = out.add_stream("aac", rate=48000)
        packets = []
        if cover:
            picture = out.add_stream("mjpeg", rate=1)
            picture.width, picture.height, picture.pix_fmt = 64, 48, "yuvj420p"
            picture.disposition = Disposition.attached_pic
            packets = _encoded(picture, [numbered(0)], [0], 1)
        for packet in packets + _silence(track, 1.0):
            out.mux(packet)
    return path


def _encoded(film, images, times_s, clock) -> list:
    packets = []
    for image, time_s in zip(images, times_s, strict=True):
        frame = av.VideoFrame.from_ndarray(image, "bgr24").reformat(format=film.pix_fmt)
        frame.pts, frame.time_base = round(time_s * clock), Fraction(1, clock)
        packets += film.encode(frame)
    return packets + film.encode()


def _silence(track, seconds: float) -> list:
    packets = []
    context = track.codec_context
    context.open()
    size = context.frame_size or 1024
    for at in range(0, round(seconds * 48000), size):
        frame = av.AudioFrame(format=context.format.name, layout="stereo", samples=size)
        for plane in frame.planes:
            plane.update(bytes(plane.buffer_size))
        frame.sample_rate, frame.pts, frame.time_base = 48000, at, Fraction(1, 48000)
        packets += track.encode(frame)
    return packets + track.encode()
