"""Still images: one file, a folder, or a glob, in natural order."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np

from ..errors import BadInput, FerError, InputNotFound, SourceFailed
from ..types import Frame, Image
from .base import Reader, SourceInfo

SUFFIXES = frozenset({".bmp", ".jpeg", ".jpg", ".png", ".pgm", ".ppm", ".tif", ".tiff", ".webp"})
# Stills have no clock of their own: one a second.
STILLS_FPS = 1.0


class Images(Reader):
    """Image files as frames, one a second of source time.

    Args:
        paths: the files, in order.
        name: for people.

    Raises:
        BadInput: when read, the first file is no image (`SourceFailed` for later ones).
    """

    def __init__(self, paths: Sequence[Path], name: str) -> None:
        self.info = SourceInfo(name, STILLS_FPS, len(paths), live=False, stills=True)
        self._paths = paths
        self._index = 0

    def read(self) -> Frame | None:
        """Return the next image; see `Reader.read`."""
        if self._index >= len(self._paths):
            return None
        path = self._paths[self._index]
        try:
            image = read_image(path)
        except FerError as error:
            if self._index == 0:
                raise
            raise SourceFailed(f"{error}; results of the {self._index} before are kept") from error
        frame = Frame(image, self._index, self._index / STILLS_FPS)
        self._index += 1
        return frame

    def close(self) -> None:
        """Do nothing: no file stays open."""


def read_image(path: Path) -> Image:
    """Read an image file as BGR uint8 `(h, w, 3)`.

    Raises:
        InputNotFound: no file at `path`.
        BadInput: not an image.
    """
    try:
        data = np.fromfile(path, np.uint8)
    except FileNotFoundError as error:
        raise InputNotFound(f"{path}: no such file") from error
    except OSError as error:
        raise BadInput(f"{path}: cannot be read ({error.strerror})") from error
    image = cv2.imdecode(data, cv2.IMREAD_COLOR) if len(data) else None
    if image is None:
        raise BadInput(f"{path}: not an image that can be decoded")
    return image  # type: ignore[return-value]


def find_images(folder: Path, pattern: str = "*") -> list[Path]:
    """The image files of a folder that match a glob, in natural order (2 before 10).

    Raises:
        BadInput: there is none.
    """
    paths = [p for p in folder.glob(pattern) if p.suffix.lower() in SUFFIXES and p.is_file()]
    if not paths:
        where = folder if pattern == "*" else folder / pattern
        raise BadInput(f"{where}: no images ({', '.join(sorted(SUFFIXES))}) there")
    return sorted(paths, key=_natural)


def _natural(path: Path) -> list[tuple[int, str]]:
    return [(int(p), "") if p.isdigit() else (0, p) for p in re.split(r"(\d+)", str(path)) if p]
