"""Labelled faces as arrays."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

SIDE = 48

Gray = npt.NDArray[np.uint8]
Labels = npt.NDArray[np.int64]
Mask = npt.NDArray[np.bool_]


@dataclass(frozen=True)
class LabelledFaces:
    """Faces and what they show.

    Attributes:
        images: uint8 `(n, 48, 48)`, gray, 0-255.
        labels: int64 `(n,)`, an index into the classes of the data set.
        names: where each came from, for people and for reading the person: a path
            relative to the data set, or a number.
    """

    images: Gray
    labels: Labels
    names: tuple[str, ...]

    def __post_init__(self) -> None:
        if not len(self.images) == len(self.labels) == len(self.names):
            raise ValueError(
                f"{len(self.images)} images, {len(self.labels)} labels, {len(self.names)} names"
            )

    def __len__(self) -> int:
        return len(self.labels)

    def fingerprint(self) -> str:
        """SHA-256 of images and labels, in hex."""
        digest = hashlib.sha256(self.images.tobytes())
        digest.update(self.labels.tobytes())
        return digest.hexdigest()

    def take(self, chosen: npt.NDArray[np.int64] | Mask) -> LabelledFaces:
        """The faces at some indices, or where a mask is true."""
        indices = np.flatnonzero(chosen) if chosen.dtype == bool else chosen
        names = tuple(self.names[i] for i in indices)
        return LabelledFaces(self.images[indices], self.labels[indices], names)


@dataclass(frozen=True)
class DataSet:
    """A data set as its author divided it.

    Attributes:
        name: of the file or folder.
        classes: a name a label.
        splits: faces by the author's name of the split, as `Training` or `test`; `all`
            where there is no division.
    """

    name: str
    classes: tuple[str, ...]
    splits: Mapping[str, LabelledFaces]

    def class_counts(self, split: str) -> dict[str, int]:
        """Faces of a split by class."""
        counts = np.bincount(self.splits[split].labels, minlength=len(self.classes))
        return dict(zip(self.classes, counts.tolist(), strict=True))


def join(parts: list[LabelledFaces]) -> LabelledFaces:
    """All faces of some sets, in their order."""
    return LabelledFaces(
        np.concatenate([part.images for part in parts]),
        np.concatenate([part.labels for part in parts]),
        tuple(name for part in parts for name in part.names),
    )


def seen_in(images: Gray, others: Gray) -> Mask:
    """Say for each of `images` `(n, h, w)` whether a byte-identical one is among `others`."""
    known = {image.tobytes() for image in others}
    return np.array([image.tobytes() in known for image in images], dtype=bool)
