"""What a folder or a glob holds: pictures, films, and what is neither."""

from __future__ import annotations

import os
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from ..errors import BadInput

PICTURES = frozenset(
    {".bmp", ".jfif", ".jpe", ".jpeg", ".jpg", ".png", ".pgm", ".ppm", ".tif", ".tiff", ".webp"}
)
FILMS = frozenset(
    {
        ".3gp", ".avi", ".flv", ".gif", ".m2ts", ".m4v", ".mkv", ".mov", ".mp4", ".mpeg", ".mpg",
        ".mts", ".ogv", ".ts", ".webm", ".wmv",
    }
)  # fmt: skip
GLOB_SIGNS = "*?["
# What archivers of macOS put beside the files.
FOREIGN = "__MACOSX"
SHOWN = 4


@dataclass(frozen=True)
class Listing:
    """The files of a folder or a glob, in natural order (2 before 10).

    Attributes:
        root: the folder below which all of them lie.
        pictures, films: by their suffixes.
        others: suffixes of what is neither, or names without one.
        hidden: how many files are hidden, or were put there by macOS.
        folders: how many folders were not looked into.
    """

    root: Path
    pictures: tuple[Path, ...]
    films: tuple[Path, ...]
    others: tuple[str, ...]
    hidden: int
    folders: int

    def left_out(self, films: bool) -> str:
        """What is not read, for people; empty where all is.

        Args:
            films: whether it is the films that are read, in place of the pictures.
        """
        more = len(self.pictures if films else self.films)
        kinds = Counter(self.others).most_common()
        shown = ", ".join(kind for kind, _ in kinds[:SHOWN]) + (", ..." * (len(kinds) > SHOWN))
        parts = [
            (more, f"{_count(more, 'picture' if films else 'video')}"),
            (self.hidden, f"{self.hidden} hidden"),
            (self.folders, f"{_count(self.folders, 'folder')} (--recursive reads them)"),
            (len(self.others), f"{_count(len(self.others), 'other file')} ({shown})"),
        ]
        return ", ".join(text for count, text in parts if count)


def list_folder(folder: Path, recursive: bool = False) -> Listing:
    """What a folder holds, and with `recursive` the folders in it, links to folders excepted.

    Raises:
        BadInput: it cannot be read.
    """
    paths: list[Path] = []
    folders = 0
    try:
        for place, below, names in os.walk(folder, onerror=_raise):
            paths += [Path(place, name) for name in names]
            # Hidden folders are left out as a whole.
            hidden = [name for name in below if _is_hidden(Path(name))]
            paths += [Path(place, name) for name in hidden]
            below[:] = [name for name in below if name not in hidden]
            if not recursive:
                folders = len(below)
                break
    except OSError as error:
        raise BadInput(f"{folder}: cannot be read ({error.strerror})") from error
    return _listing(folder, paths, folders)


def list_glob(pattern: str) -> Listing:
    """The files that a glob finds; its signs may stand for folders, too.

    Raises:
        BadInput: the pattern cannot be.
    """
    parts = at_home(Path(pattern)).parts
    fixed = next(i for i, part in enumerate(parts) if is_glob(part))
    root = Path(*parts[:fixed])
    try:
        paths = [path for path in root.glob(str(Path(*parts[fixed:]))) if not path.is_dir()]
    except (OSError, ValueError, NotImplementedError, re.error) as error:
        raise BadInput(f"{pattern}: cannot be looked for ({error})") from error
    return _listing(root, paths, 0)


def at_home(path: Path) -> Path:
    """The path with `~` for a home; as it is where nobody has that name."""
    try:
        return path.expanduser()
    except RuntimeError:
        return path


def is_glob(text: str) -> bool:
    """Whether a name has signs that stand for others."""
    return any(sign in text for sign in GLOB_SIGNS)


def find_images(folder: Path, recursive: bool = False) -> list[Path]:
    """The image files of a folder, in natural order.

    Raises:
        BadInput: there is none, or the folder cannot be read.
    """
    found = list_folder(folder, recursive)
    if not found.pictures:
        raise BadInput(f"{folder}: no images ({', '.join(sorted(PICTURES))}) there")
    return list(found.pictures)


def _listing(root: Path, paths: Sequence[Path], folders: int) -> Listing:
    seen = sorted((p for p in paths if not _is_hidden(p.relative_to(root))), key=_natural)
    kinds: dict[str, list[Path]] = {"pictures": [], "films": [], "others": []}
    for path in seen:
        kinds[_kind(path)].append(path)
    return Listing(
        root,
        tuple(kinds["pictures"]),
        tuple(kinds["films"]),
        tuple(path.suffix or path.name for path in kinds["others"]),
        len(paths) - len(seen),
        folders,
    )


def _kind(path: Path) -> str:
    suffix = path.suffix.lower()
    if suffix not in PICTURES | FILMS or not path.is_file():
        return "others"
    return "pictures" if suffix in PICTURES else "films"


def _is_hidden(path: Path) -> bool:
    return any(part.startswith(".") or part == FOREIGN for part in path.parts)


def _natural(path: Path) -> list[tuple[int, str]]:
    parts = re.split(r"(\d+)", str(path))
    return [(int(p), "") if p.isdecimal() else (0, p) for p in parts if p]


def _count(number: int, thing: str) -> str:
    return f"{number} {thing}{'s' * (number != 1)}"


def _raise(error: OSError) -> None:
    raise error
