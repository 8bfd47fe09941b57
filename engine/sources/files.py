"""The files that a source is made of."""

from __future__ import annotations

import os
from pathlib import Path
from urllib.parse import unquote_to_bytes

from ..errors import FerError
from .images import find_images


def files_of(uri: str) -> list[Path]:
    """The files that are read for a URI of `open_source`; none for cameras and addresses.

    What is not there, or cannot be read, is none: who opens it will say so.
    """
    if uri.startswith("file://"):
        uri = path_of_url(uri)
    elif "://" in uri or uri.startswith("camera:"):
        return []
    path = find(uri)
    try:
        if path is None:
            return matching(uri) if is_glob(uri) else []
        return find_images(path) if path.is_dir() else [path]
    except FerError:
        return []


def find(text: str) -> Path | None:
    """What is there by a name, as it is or with `~` for a home; None where nothing is."""
    try:
        path = Path(text)
        if not path.exists():
            path = path.expanduser()
        return path if path.exists() else None
    except (OSError, RuntimeError):  # a name that is too long; a `~` of nobody
        return None


def is_glob(text: str) -> bool:
    """Whether a name has signs that stand for others."""
    return any(sign in text for sign in "*?[")


def matching(pattern: str) -> list[Path]:
    """The images that a glob finds; BadInput where there are none."""
    path = Path(pattern)
    anchor = Path(path.anchor or ".")
    return find_images(anchor, str(path.relative_to(path.anchor) if path.anchor else path))


def path_of_url(url: str) -> str:
    """The path in a `file:` URL, whose blanks and other signs are written as `%20`."""
    path = url.removeprefix("file://").removeprefix("localhost")
    return os.fsdecode(unquote_to_bytes(os.fsencode(path)))
