"""What the name of an output leads to, and whether two names lead to the same file."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from .errors import BadInput, OutputNotWritable

STANDARD_OUTPUT = "-"
# Links that lead in a circle are told by the system, not by us.
_MOST_LINKS = 40


@dataclass(frozen=True)
class Place:
    """Where an output goes.

    Attributes:
        path: of the file or stream, with symbolic links followed.
        stream: whether it is written to as it is: a FIFO, a device, an open descriptor.
        descriptor: the number of an open file that the name stands for, such as 1 for `-`
            and `/dev/stdout`; None for others.
    """

    path: Path
    stream: bool = False
    descriptor: int | None = None


def place_of(final: Path) -> Place:
    """Follow the name of an output.

    Raises:
        OutputNotWritable: a folder, or a name that cannot be.
    """
    descriptor = None
    try:
        descriptor = 1 if str(final) == STANDARD_OUTPUT else _descriptor(final)
        mode = (final.stat() if descriptor is None else os.fstat(descriptor)).st_mode
    except FileNotFoundError:
        mode = stat.S_IFREG
    except OSError as error:
        raise OutputNotWritable(f"{final}: cannot be written ({error.strerror})") from error
    if stat.S_ISDIR(mode):
        raise OutputNotWritable(f"{final}: is a folder; give the name of a file")
    if descriptor is not None:
        return Place(Path(f"/dev/fd/{descriptor}"), True, descriptor)
    if stat.S_ISREG(mode):
        return Place(Path(os.path.realpath(final)))
    if stat.S_ISFIFO(mode) or stat.S_ISCHR(mode):
        return Place(final, True)
    raise OutputNotWritable(f"{final}: is no file, FIFO or character device; give another name")


def check_apart(outputs: Iterable[Path | None], inputs: Iterable[Path | None] = ()) -> None:
    """Make sure that no output is an input or another output, by whatever name.

    Args:
        outputs: files to write; None for one that was not asked for.
        inputs: files that are read; None likewise.

    Raises:
        BadInput: two names lead to the same file.
        OutputNotWritable: see `place_of`.
    """
    taken: dict[object, Path] = {}
    for path in outputs:
        if path is None or _is_null(path):
            continue
        key = _identity(path)
        if key in taken:
            raise BadInput(f"{taken[key]} and {path}: one file for two outputs; give each its own")
        taken[key] = path
    if not taken:
        return
    for path in filter(None, inputs):
        if (key := _identity_of_input(path)) in taken:
            raise BadInput(f"{taken[key]}: is the input {path} itself; give another name")


def _identity(path: Path) -> object:
    place = place_of(path)
    try:
        found = path.stat() if place.descriptor is None else os.fstat(place.descriptor)
    except FileNotFoundError:
        return place.path
    return found.st_dev, found.st_ino


def _identity_of_input(path: Path) -> object:
    try:
        found = path.stat()
    except OSError:  # who reads it will say so
        return None
    return found.st_dev, found.st_ino


def _is_null(path: Path) -> bool:
    try:
        return path.samefile(os.devnull)
    except OSError:
        return False


def _descriptor(path: Path) -> int | None:
    """The open file that a name such as `/dev/stdout` or `/dev/fd/3` stands for.

    Its own name must not be followed: what lies behind it would be opened anew, at its
    beginning, and a socket cannot be opened at all.
    """
    own = os.path.realpath("/proc/self/fd")
    for _ in range(_MOST_LINKS):
        if path.name.isdecimal() and os.path.realpath(path.parent) == own:
            return int(path.name)
        if not path.is_symlink():
            return None
        path = path.parent / path.readlink()
    return None
