"""Labelled faces as arrays."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

from fer_edge.engine.types import Image

SIDE = 48
# The label of a face whose class is not known.
UNKNOWN = -1

Gray = npt.NDArray[np.uint8]
# Of one size in one array, or of any sizes.
Images = Gray | Sequence[Gray]
Labels = npt.NDArray[np.int64]
Mask = npt.NDArray[np.bool_]


@dataclass(frozen=True)
class LabelledFaces:
    """Faces and what they show.

    Attributes:
        images: uint8 `(n, 48, 48)`, gray, 0-255.
        labels: int64 `(n,)`, an index into the classes of the data set, or `UNKNOWN`.
        names: where each came from, for people and for reading the person: a path
            relative to the data set, or a number.
        votes: how many people named which class, uint8 `(n, classes + 1)`; the last column
            counts votes for expressions outside the classes. None where nobody was asked.
        crops: the same faces as the runtime cuts them out, gray uint8 of any size, to judge a
            model by; None where the images are all there is.
    """

    images: Gray
    labels: Labels
    names: tuple[str, ...]
    votes: Gray | None = None
    crops: tuple[Gray, ...] | None = None

    def __post_init__(self) -> None:
        if not len(self.images) == len(self.labels) == len(self.names):
            raise ValueError(
                f"{len(self.images)} images, {len(self.labels)} labels, {len(self.names)} names"
            )

        if self.votes is not None and len(self.votes) != len(self.labels):
            raise ValueError(f"{len(self.labels)} labels, {len(self.votes)} rows of votes")

        if self.crops is not None and len(self.crops) != len(self.labels):
            raise ValueError(f"{len(self.labels)} labels, {len(self.crops)} crops")

    def __len__(self) -> int:
        return len(self.labels)

    @property
    def labelled(self) -> Mask:
        """Which faces have a label."""
        known: Mask = self.labels != UNKNOWN
        return known

    @property
    def seen(self) -> Images:
        """What a model is asked about: the crops, or else the images."""
        return self.images if self.crops is None else self.crops

    @property
    def majorities(self) -> Labels:
        """The class that more than half of the votes name, int64 `(n,)`; else `UNKNOWN`."""
        if self.votes is None:
            return np.full(len(self), UNKNOWN)
        top = self.votes.argmax(axis=1)
        clear = self.votes.max(axis=1) > self.votes.sum(axis=1, dtype=np.int64) / 2
        return np.where(clear & (top < self.votes.shape[1] - 1), top, UNKNOWN)

    def fingerprint(self) -> str:
        """SHA-256 of images, labels and votes, in hex."""
        digest = hashlib.sha256(self.images.tobytes())
        digest.update(self.labels.tobytes())
        if self.votes is not None:
            digest.update(self.votes.tobytes())
        return digest.hexdigest()

    def take(self, chosen: npt.NDArray[np.int64] | Mask) -> LabelledFaces:
        """The faces at some indices, or where a mask is true."""
        indices = np.flatnonzero(chosen) if chosen.dtype == bool else chosen
        names = tuple(self.names[i] for i in indices)
        votes = None if self.votes is None else self.votes[indices]
        crops = None if self.crops is None else tuple(self.crops[i] for i in indices)
        return LabelledFaces(self.images[indices], self.labels[indices], names, votes, crops)


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
        """Faces of a split by class; those without a label are not counted."""
        faces = self.splits[split]
        counts = np.bincount(faces.labels[faces.labelled], minlength=len(self.classes))
        return dict(zip(self.classes, counts.tolist(), strict=True))


def join(parts: list[LabelledFaces]) -> LabelledFaces:
    """All faces of some sets, in their order, without crops; votes only where all have them."""
    votes = [part.votes for part in parts if part.votes is not None]
    return LabelledFaces(
        np.concatenate([part.images for part in parts]),
        np.concatenate([part.labels for part in parts]),
        tuple(name for part in parts for name in part.names),
        np.concatenate(votes) if len(votes) == len(parts) else None,
    )


def as_gray(image: Image) -> Gray:
    """A BGR uint8 image `(h, w, 3)` in gray, `(h, w)`."""
    return np.asarray(cv2.cvtColor(image, cv2.COLOR_BGR2GRAY), np.uint8)


def seen_in(images: Gray, others: Gray) -> Mask:
    """Say for each of `images` `(n, h, w)` whether a byte-identical one is among `others`."""
    known = {image.tobytes() for image in others}
    return np.array([image.tobytes() in known for image in images], dtype=bool)
