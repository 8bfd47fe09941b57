"""Where frames come from: one `open_source(uri)` for all of them."""

from __future__ import annotations

from typing import Literal

from ..errors import BadInput, InputNotFound
from .ahead import ReadAheadFeed
from .base import Feed, LiveFeed, Reader, SourceInfo
from .camera import Camera
from .connection import DEFAULT_CONNECTION, Connection
from .demo import Demo
from .files import files_of, find, is_glob, matching, path_of_url
from .images import SUFFIXES, Images, find_images

__all__ = [
    "Connection",
    "Delivery",
    "Feed",
    "Reader",
    "SourceInfo",
    "files_of",
    "gives_every_frame",
    "open_reader",
    "open_source",
]

Delivery = Literal["auto", "realtime", "lossless"]


def open_source(
    uri: str, delivery: Delivery = "auto", connection: Connection = DEFAULT_CONNECTION
) -> Feed:
    """Open a source.

    Args:
        uri: `camera:N`, `demo`, a URL, or the path of a video, an image, a folder of
            images or a glob of images.
        delivery: `realtime` gives the newest frame and counts what it drops, at the
            source's own pace; `lossless` gives every frame; `auto` is `realtime` for
            cameras and streams and `lossless` for files.
        connection: how a source in the network is reached.

    Raises:
        InputNotFound: there is nothing at `uri`.
        BadInput: what is there cannot be decoded.
    """
    reader = open_reader(uri, connection)
    if gives_every_frame(delivery, reader.info):
        return ReadAheadFeed(reader)
    return LiveFeed(reader, paced=not reader.info.live)


def gives_every_frame(delivery: Delivery, info: SourceInfo) -> bool:
    """Whether a source waits for whoever takes its frames, instead of dropping some."""
    return delivery == "lossless" or (delivery == "auto" and not info.live)


def open_reader(uri: str, connection: Connection = DEFAULT_CONNECTION) -> Reader:
    """Open what `uri` names; see `open_source` for its forms and errors."""
    if not uri:
        raise BadInput("the source is empty: give a path, a URL, camera:N or demo")
    if uri == "demo":
        return Demo()
    if uri.startswith("camera:"):
        return _camera(uri.removeprefix("camera:"))
    if uri.startswith("file://"):
        return _file(path_of_url(uri))
    if "://" in uri:
        # Late: FFmpeg's libraries are large, and cameras, pictures and the demo need none.
        from .open_film import open_url

        return open_url(uri, connection)
    return _file(uri)


def _camera(index: str) -> Camera:
    if not index.isdecimal():
        raise BadInput(f"camera {index!r}: give the number of a camera, as 0")
    return Camera(int(index))


def _file(text: str) -> Reader:
    path = find(text)
    if path is None:
        if is_glob(text):
            return Images(matching(text), text)
        raise InputNotFound(f"{text}: no such file, folder or source")
    if path.is_dir():
        return Images(find_images(path), path.name)
    if path.suffix.lower() in SUFFIXES:
        return Images([path], path.name)
    from .open_film import open_video

    return open_video(path)
