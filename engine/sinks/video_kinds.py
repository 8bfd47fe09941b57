"""The kinds of video file that can be written: container, encoder, and how both are set."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

from ..errors import BadInput
from ..places import place_of

# Encoders of H.264 by name, with what makes them quick, lets no picture wait for the next, and
# makes every picture a key frame that is asked for as one.
H264: dict[str, dict[str, str]] = {
    "libx264": {
        "preset": "superfast", "tune": "zerolatency", "crf": "23", "forced-idr": "1",
        "sc_threshold": "0",
    },
    "h264_nvenc": {"preset": "p4", "tune": "ll", "rc": "vbr", "cq": "23", "forced-idr": "1"},
    "h264_qsv": {"preset": "veryfast", "global_quality": "23", "forced_idr": "1"},
    "h264_v4l2m2m": {"b": "4M"},
}  # fmt: skip
VP8 = {"deadline": "realtime", "cpu-used": "16", "lag-in-frames": "0", "b": "4M", "crf": "10"}
MJPEG = {"flags": "+qscale", "global_quality": "354"}  # quality 3 of 31, times FFmpeg's 118
AUTO = "auto"
ENCODERS = (AUTO, *H264)


@dataclass(frozen=True)
class VideoKind:
    """How one kind of file is written.

    Attributes:
        muxer, encoder: by their names in FFmpeg.
        options: of the encoder.
        muxing: options of the muxer.
        pixels: the pixel format.
        clock: ticks a second of its times; None where all pictures stand equally long.
    """

    muxer: str
    encoder: str
    options: Mapping[str, str]
    muxing: Mapping[str, str] = field(default_factory=dict)
    pixels: str = "yuv420p"
    clock: int | None = 1000


# Written in pieces that can be read without those to come.
FRAGMENTS = {"movflags": "frag_keyframe+default_base_moof+delay_moov"}
CLUSTERS = {"cluster_time_limit": "1000"}
KINDS = {
    ".mp4": VideoKind("mp4", "libx264", H264["libx264"], FRAGMENTS, clock=90_000),
    ".avi": VideoKind("avi", "mjpeg", MJPEG, pixels="yuvj420p", clock=None),
    ".mkv": VideoKind("matroska", "libx264", H264["libx264"], CLUSTERS),
    ".webm": VideoKind("webm", "libvpx", VP8, CLUSTERS),
}


def video_kind(path: Path, encoder: str = AUTO) -> VideoKind:
    """The kind of a file, by its suffix; Matroska for standard output and open descriptors.

    Args:
        path: of the file.
        encoder: a name of `ENCODERS`.

    Raises:
        BadInput: another suffix, or an encoder that is not of its kind.
        OutputNotWritable: see `place_of`.
    """
    kind = KINDS.get(".mkv" if place_of(path).descriptor is not None else path.suffix.lower())
    if kind is None:
        raise BadInput(f"{path}: unknown kind of video; end the name in {', '.join(KINDS)}")
    if encoder == AUTO:
        return kind
    if encoder not in H264:
        raise BadInput(f"no encoder {encoder!r}; there are {', '.join(ENCODERS)}")
    if kind.encoder not in H264:
        raise BadInput(f"{path}: {encoder} makes H.264, for .mp4 and .mkv; end the name in those")
    pixels = "nv12" if encoder == "h264_qsv" else kind.pixels
    return replace(kind, encoder=encoder, options=H264[encoder], pixels=pixels)
