"""FER2013 as arrays: reading, and the images that occur in two splits."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from fer_edge.engine.errors import BadInput, InputNotFound

TRAINING, PUBLIC_TEST = 0, 1
CLASS_COUNT = 7


@dataclass(frozen=True)
class Split:
    """Faces of one split.

    Attributes:
        images: uint8 `(n, 48, 48)`, gray, 0-255.
        labels: int64 `(n,)`, 0-6 in FER2013 order.
    """

    images: npt.NDArray[np.uint8]
    labels: npt.NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.labels)


def load_fer2013(path: Path) -> tuple[Split, Split]:
    """Read `fer2013_train_public.npz` and return (Training, PublicTest).

    Raises:
        InputNotFound: no file at `path`.
        BadInput: not an archive of `pixels`, `emotion` and `usage` of matching shapes.
    """
    if not path.is_file():
        raise InputNotFound(f"{path}: no such data set; expected an .npz of FER2013")
    try:
        with np.load(path, allow_pickle=False) as archive:
            pixels, emotion, usage = (archive[key] for key in ("pixels", "emotion", "usage"))
    except (OSError, ValueError, KeyError) as error:
        raise BadInput(
            f"{path}: not a FER2013 archive ({error}); expected pixels, emotion and usage"
        ) from error
    if pixels.shape != (len(emotion), 48, 48) or len(usage) != len(emotion):
        raise BadInput(f"{path}: pixels {pixels.shape} do not match {len(emotion)} labels")
    return _split(pixels, emotion, usage == TRAINING), _split(pixels, emotion, usage == PUBLIC_TEST)


def seen_in(images: npt.NDArray[np.uint8], others: npt.NDArray[np.uint8]) -> npt.NDArray[np.bool_]:
    """Say for each of `images` `(n, h, w)` whether a byte-identical one is among `others`."""
    known = {image.tobytes() for image in others}
    return np.array([image.tobytes() in known for image in images], dtype=bool)


def _split(
    pixels: npt.NDArray[np.uint8], emotion: npt.NDArray[np.uint8], chosen: npt.NDArray[np.bool_]
) -> Split:
    return Split(pixels[chosen], emotion[chosen].astype(np.int64))
