"""Files of Git LFS that were never fetched: a few lines of text where the content should be."""

from __future__ import annotations

_BEGINNING = b"version https://git-lfs.github.com/spec/"
HINT = "a pointer of Git LFS, not the file itself; fetch it with: git lfs pull"


def is_pointer(content: bytes) -> bool:
    """Whether a file that begins with `content` is a pointer."""
    return content.startswith(_BEGINNING)
