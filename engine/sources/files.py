"""The files that a source is made of."""

from __future__ import annotations

import os
from pathlib import Path
from urllib.parse import unquote_to_bytes

from ..errors import FerError
from .listing import Listing, is_glob, list_folder, list_glob


def files_of(uri: str, recursive: bool = False) -> list[Path]:
    """The files that are read for a URI of `open_source`; none for cameras and addresses.

    What is not there, or cannot be read, is none: who opens it will say so.
    """
    try:
        listing = listing_of(uri, recursive)
    except FerError:
        return []
    if listing is not None:
        return list(listing.pictures or listing.films)
    path = path_of(uri)
    return [path] if path is not None else []


def listing_of(uri: str, recursive: bool = False) -> Listing | None:
    """What a URI names where that is a folder or a glob; None for all else.

    Raises:
        BadInput: see `list_folder` and `list_glob`.
    """
    text = local(uri)
    path = path_of(uri)
    if path is not None:
        return list_folder(path, recursive) if path.is_dir() else None
    return list_glob(text) if text is not None and is_glob(text) else None


def path_of(uri: str) -> Path | None:
    """What is there by a URI, as it is or with `~` for a home; None where nothing is."""
    text = local(uri)
    if not text:
        return None
    try:
        path = Path(text)
        if not path.exists():
            path = path.expanduser()
        return path if path.exists() else None
    except (OSError, RuntimeError):  # a name that is too long; a `~` of nobody
        return None


def local(uri: str) -> str | None:
    """The path that a URI names, whether it exists or not; None for what is no file.

    In a `file:` URL blanks and other signs are written as `%20`.
    """
    if uri.startswith("file://"):
        path = uri.removeprefix("file://").removeprefix("localhost")
        return os.fsdecode(unquote_to_bytes(os.fsencode(path)))
    if uri == "demo" or uri.startswith("camera:") or "://" in uri:
        return None
    return uri
