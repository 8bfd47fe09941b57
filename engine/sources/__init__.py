"""Where frames come from: one `open_source(uri)` for all of them."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from ..errors import BadInput, InputNotFound
from .base import Feed, LiveFeed, LosslessFeed, Reader, SourceInfo
from .demo import Demo
from .images import SUFFIXES, Images, find_images
from .video import Camera, open_url, open_video

__all__ = [
    "Delivery",
    "Feed",
    "Reader",
    "SourceInfo",
    "gives_every_frame",
    "open_reader",
    "open_source",
]

Delivery = Literal["auto", "realtime", "lossless"]


def open_source(uri: str, delivery: Delivery = "auto") -> Feed:
    """Open a source.

    Args:
        uri: `camera:N`, `demo`, a URL, or the path of a video, an image, a folder of
            images or a glob of images.
        delivery: `realtime` gives the newest frame and counts what it drops, at the
            source's own pace; `lossless` gives every frame; `auto` is `realtime` for
            cameras and streams and `lossless` for files.

    Raises:
        InputNotFound: there is nothing at `uri`.
        BadInput: what is there cannot be decoded.
    """
    reader = open_reader(uri)
    if gives_every_frame(delivery, reader.info):
        return LosslessFeed(reader)
    return LiveFeed(reader, paced=not reader.info.live)


def gives_every_frame(delivery: Delivery, info: SourceInfo) -> bool:
    """Whether a source waits for whoever takes its frames, instead of dropping some."""
    return delivery == "lossless" or (delivery == "auto" and not info.live)


def open_reader(uri: str) -> Reader:
    """Open what `uri` names; see `open_source` for its forms and errors."""
    if not uri:
        raise BadInput("the source is empty: give a path, a URL, camera:N or demo")
    if uri == "demo":
        return Demo()
    if uri.startswith("camera:"):
        return _camera(uri.removeprefix("camera:"))
    if "://" in uri and not uri.startswith("file://"):
        return open_url(uri)
    return _file(uri.removeprefix("file://"))


def _camera(index: str) -> Camera:
    if not index.isdecimal():
        raise BadInput(f"camera {index!r}: give the number of a camera, as 0")
    return Camera(int(index))


def _file(text: str) -> Reader:
    path = Path(text).expanduser()
    if path.is_dir():
        return Images(find_images(path), path.name)
    if not path.exists():
        if any(sign in text for sign in "*?["):
            anchor = Path(path.anchor or ".")
            pattern = str(path.relative_to(path.anchor) if path.anchor else path)
            return Images(find_images(anchor, pattern), text)
        raise InputNotFound(f"{path}: no such file, folder or source")
    if path.suffix.lower() in SUFFIXES:
        return Images([path], path.name)
    return open_video(path)
