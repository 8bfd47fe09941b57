"""Files of Git LFS that were never fetched: a few lines of text where the content should be."""

from __future__ import annotations

from pathlib import Path

_BEGINNING = b"version https://git-lfs.github.com/spec/"
HINT = "a pointer of Git LFS, not the file itself; fetch it with: git lfs pull"


def hint_for(path: Path) -> str | None:
    """What to do where a file is a pointer; None for all else."""
    try:
        with path.open("rb") as file:
            return HINT if is_pointer(file.read(len(_BEGINNING))) else None
    except OSError:
        return None


def is_pointer(content: bytes) -> bool:
    """Whether a file that begins with `content` is a pointer."""
    return content.startswith(_BEGINNING)
