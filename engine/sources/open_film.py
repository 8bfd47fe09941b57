"""Opening films: files by path, recordings and streams by address. FFmpeg does it, by PyAV."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any, cast

import av
from av.container import InputContainer

from .. import git_lfs
from ..errors import BadInput, InputNotFound, SourceFailed
from ..ffmpeg import local, reason
from ..redaction import redacted
from .connection import DEFAULT_CONNECTION, Connection, Decoder
from .film import MOST_PIXELS, NO_VIDEO
from .hardware import opened_for
from .stream import Stream
from .video import Recording

# FFmpeg knows more, which read files or join addresses.
PROTOCOLS = (
    "http", "https", "rtsp", "rtsps", "rtmp", "rtmps", "rtmpt", "srt", "udp", "rtp", "tcp", "mmsh",
    "ftp",
)  # fmt: skip
# What a stream without an end comes in, whatever its server says of its length.
ENDLESS = frozenset({"mpjpeg"})
# The size of these is that of their list of pieces.
PLAYLISTS = frozenset({"hls", "dash"})
LIMITS = {"max_pixels": str(MOST_PIXELS)}


def open_video(path: Path, connection: Connection = DEFAULT_CONNECTION) -> Recording:
    """Open a video file.

    Raises:
        InputNotFound: no file at `path`.
        BadInput: no video that can be decoded.
    """
    if (pointer := git_lfs.hint_for(path)) is not None:
        raise BadInput(f"{path}: {pointer}")
    return Recording(_open_file(local(path), str(path), connection.decoder), str(path), path)


def open_url(url: str, connection: Connection) -> Recording | Stream:
    """Open an address: a recording where what is there has an end, a live stream else.

    Raises:
        BadInput: an address of an unknown kind, or no film that can be decoded.
        InputNotFound: nothing answers at the address.
    """
    name = redacted(url)
    if url.partition("://")[0].lower() not in PROTOCOLS:
        raise BadInput(f"{name}: unknown kind of address; there are {', '.join(PROTOCOLS)}")
    container = _open_url(url, name, connection)
    if not _has_end(container):
        return Stream(container, name)
    try:
        return Recording(container, name)
    except SourceFailed:
        # A server that gives files only from their beginning, and a file whose index is at
        # its end.
        return Recording(_open_fetched(url, name, connection), name)


def _has_end(container: InputContainer) -> bool:
    if container.format.name in ENDLESS:
        return False
    return bool(container.duration) or (
        container.format.name not in PLAYLISTS and container.size > 0
    )


def _open_file(file: str, name: str, decoder: Decoder) -> InputContainer:
    try:
        return opened_for(decoder, name, file, options=LIMITS, metadata_errors="replace")
    except av.error.InvalidDataError as error:
        raise BadInput(f"{name}: {NO_VIDEO}") from error
    except av.error.FileNotFoundError as error:
        raise InputNotFound(f"{name}: no such file") from error
    except av.FFmpegError as error:
        raise BadInput(f"{name}: cannot be read ({reason(error)})") from error


def _open_url(
    url: str, name: str, connection: Connection, kind: str | None = None
) -> InputContainer:
    options = {**LIMITS, "rtsp_transport": connection.rtsp_transport}
    timeout_s = connection.timeout_s
    try:
        return opened_for(
            "cpu" if kind else connection.decoder, name, url, format=kind, options=options,
            metadata_errors="replace", timeout=timeout_s,
        )  # fmt: skip
    except av.FFmpegError as error:
        raise InputNotFound(
            f"{name}: no stream ({reason(error)}); check the address and that it is being sent"
        ) from error


def _open_fetched(url: str, name: str, connection: Connection) -> InputContainer:
    """Open what is at an address once all of it is in a file, gone with its last reader."""
    with tempfile.NamedTemporaryFile() as file:
        try:
            with _open_url(url, name, connection, "data") as container:
                for packet in container.demux():
                    file.write(cast(Any, packet))
            file.flush()
        except av.FFmpegError as error:
            raise SourceFailed(f"{name}: broke off ({reason(error)})") from error
        except OSError as error:
            raise SourceFailed(f"{name}: no room to fetch it ({error.strerror})") from error
        return _open_file(local(Path(file.name)), name, connection.decoder)
