"""Still images, one after the other."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from pathlib import Path
from typing import Any, cast

import cv2
import numpy as np
import numpy.typing as npt

from .. import git_lfs
from ..errors import BadInput, FerError, InputNotFound, SourceFailed
from ..types import Frame, Image
from .base import Reader, SourceInfo

# Stills have no clock of their own: one a second.
STILLS_FPS = 1.0

# BGR, turned as EXIF says, with as many bits as the file has.
DEEP = cv2.IMREAD_COLOR | cv2.IMREAD_ANYDEPTH

log = logging.getLogger("fer_edge")


class Images(Reader):
    """Image files as frames, one a second of source time.

    One that cannot be read is told and left out, where there are others; its number stays free.

    Args:
        paths: the files, in order.
        name: for people.
        root: the folder from which frames name their files; None for the last part of a path.
        strict: whether one that cannot be read ends the reading.

    Raises:
        BadInput: when read, no file is an image; or, `strict`, the first is none
            (`SourceFailed` for later ones).
    """

    def __init__(
        self, paths: Sequence[Path], name: str, root: Path | None = None, strict: bool = False
    ) -> None:
        self.info = SourceInfo(name, STILLS_FPS, len(paths), live=False, stills=True)
        self._paths = paths
        self._root = root
        self._strict = strict or len(paths) == 1
        self._index = 0
        self._given = 0

    def read(self) -> Frame | None:
        """Return the next image; see `Reader.read`."""
        while self._index < len(self._paths):
            index, path = self._index, self._paths[self._index]
            self._index += 1
            try:
                image = read_image(path)
            except FerError as error:
                self._leave_out(error)
                continue
            self._given += 1
            file = path.relative_to(self._root) if self._root is not None else path.name
            return Frame(image, index, index / STILLS_FPS, str(file))
        if not self._given:
            raise BadInput(f"{self.info.name}: none of its {len(self._paths)} images can be read")
        return None

    def _leave_out(self, error: FerError) -> None:
        if self._strict and not self._given:
            raise error
        if self._strict:
            raise SourceFailed(f"{error}; results of the {self._given} before are kept") from error
        log.warning("%s; left out", error)

    def close(self) -> None:
        """Do nothing: no file stays open."""


def read_image(path: Path) -> Image:
    """Read an image file as BGR uint8 `(h, w, 3)`.

    Raises:
        InputNotFound: no file at `path`.
        BadInput: not an image, or one that is too large.
    """
    try:
        data = np.fromfile(path, np.uint8)
    except FileNotFoundError as error:
        raise InputNotFound(f"{path}: no such file") from error
    except OSError as error:
        raise BadInput(f"{path}: cannot be read ({error.strerror})") from error
    try:
        image = cv2.imdecode(data, DEEP) if len(data) else None
    except MemoryError as error:
        raise BadInput(f"{path}: takes more memory than there is; make it smaller") from error
    except cv2.error as error:
        # What OpenCV raises here is what it holds against the size in the file's head.
        raise BadInput(f"{path}: too large to be decoded ({error.err}); make it smaller") from error
    if image is None:
        pointer = git_lfs.is_pointer(data[:200].tobytes())
        raise BadInput(f"{path}: {git_lfs.HINT if pointer else 'not an image that can be decoded'}")
    return eight_bits(image, path)


def eight_bits(image: npt.NDArray[Any], path: Path) -> Image:
    """A picture of any depth as BGR uint8.

    Sensors of 10 to 14 bits write their values into 16 as they are: a largest value of less than
    16 bits says how many there were. Numbers with a point go from 0 to 1, or to the largest.
    """
    if image.dtype == np.uint8:
        return cast(Image, image)
    most = float(np.nanmax(image, initial=0))
    if image.dtype.kind == "f":
        full = max(most, 1.0)
    else:
        full = float(2 ** max(8, int(most).bit_length()) - 1)
    if image.dtype.kind != "f" and full < np.iinfo(image.dtype).max:
        log.warning("%s: values up to %d, taken as of %d bits", path, most, int(full).bit_length())
    # Not a number is black.
    scaled = np.nan_to_num(image.astype(np.float32)) * np.float32(255 / full)
    return np.clip(np.rint(scaled), 0, 255).astype(np.uint8)
