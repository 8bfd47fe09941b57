"""Where frames come from: one `open_source(uri)` for all of them."""

from __future__ import annotations

import logging
from functools import partial
from typing import Literal

from ..errors import BadInput, InputNotFound
from .base import Feed, Reader, SourceInfo
from .camera import Camera
from .connection import DEFAULT_CONNECTION, Connection
from .demo import Demo
from .feed import CapturedFeed
from .files import files_of, listing_of, local, path_of
from .images import Images
from .listing import PICTURES, Listing

__all__ = [
    "Connection",
    "Delivery",
    "Feed",
    "Reader",
    "SourceInfo",
    "files_of",
    "gives_every_frame",
    "listing_of",
    "open_reader",
    "open_source",
]

Delivery = Literal["auto", "realtime", "lossless"]

log = logging.getLogger("fer_edge")


def open_source(
    uri: str,
    delivery: Delivery = "auto",
    connection: Connection = DEFAULT_CONNECTION,
    recursive: bool = False,
    strict: bool = False,
) -> Feed:
    """Open a source.

    Args:
        uri: `camera:N`, `demo`, a URL, or the path of a video, an image, a folder of
            images or a glob of images. What else lies in a folder is told and left out.
        delivery: `realtime` gives the newest frame and counts what it drops, at the
            source's own pace; `lossless` gives every frame; `auto` is `realtime` for
            cameras and streams and `lossless` for files.
        connection: how a source in the network is reached.
        recursive: whether folders in a folder are read, too.
        strict: whether one image that cannot be read ends the source, in place of being told
            and left out.

    Raises:
        InputNotFound: there is nothing at `uri`.
        BadInput: what is there cannot be decoded.
    """

    opener = partial(open_reader, uri, connection, recursive, strict)
    reader = opener()
    every = gives_every_frame(delivery, reader.info)
    return CapturedFeed(reader, every, opener, connection.reconnect_s)


def gives_every_frame(delivery: Delivery, info: SourceInfo) -> bool:
    """Whether a source waits for whoever takes its frames, instead of dropping some."""
    return delivery == "lossless" or (delivery == "auto" and not info.live)


def open_reader(
    uri: str,
    connection: Connection = DEFAULT_CONNECTION,
    recursive: bool = False,
    strict: bool = False,
) -> Reader:
    """Open what `uri` names; see `open_source` for its forms and errors."""
    if not uri:
        raise BadInput("the source is empty: give a path, a URL, camera:N or demo")
    if uri == "demo":
        return Demo()
    if uri.startswith("camera:"):
        return _camera(uri.removeprefix("camera:"))
    if local(uri) is None:
        # Late: FFmpeg's libraries are large, and cameras, pictures and the demo need none.
        from .open_film import open_url

        return open_url(uri, connection)
    listing = listing_of(uri, recursive)
    return _file(uri, connection) if listing is None else _pictures(uri, listing, strict)


def _camera_hint(number: str) -> str:
    return f"; for the camera give --camera {number}" if number.isdecimal() else ""


def _camera(index: str) -> Camera:
    if not index.isdecimal():
        raise BadInput(f"camera {index!r}: give the number of a camera, as 0")
    return Camera(int(index))


def _pictures(uri: str, listing: Listing, strict: bool) -> Reader:
    left_out = listing.left_out(films=False)
    if not listing.pictures:
        hint = f"; give one of its videos, as {listing.films[0]}" if listing.films else ""
        there = f"no images there, but {left_out}" if left_out else "no images or videos there"
        raise BadInput(f"{uri}: {there}{hint}")
    if left_out:
        log.warning("%s: left out: %s", uri, left_out)
    return Images(listing.pictures, uri, listing.root, strict)


def _file(uri: str, connection: Connection) -> Reader:
    path = path_of(uri)
    if path is None:
        raise InputNotFound(f"{local(uri)}: no such file, folder or source{_camera_hint(uri)}")
    if path.is_char_device():
        raise BadInput(f"{path}: is a device{_camera_hint(path.name.removeprefix('video'))}")
    if path.suffix.lower() in PICTURES:
        return Images([path], path.name)
    from .open_film import open_video

    return open_video(path, connection)
