"""What a network shall say of a face: its label, what people voted, or both."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from .data import LabelledFaces

Floats = npt.NDArray[np.float32]


def label_targets(faces: LabelledFaces, classes: int) -> Floats:
    """Float32 `(n, classes)`: 1 for the label; zeros where it is not known."""
    targets = np.zeros((len(faces), classes), np.float32)
    known = np.flatnonzero(faces.labelled)
    targets[known, faces.labels[known]] = 1
    return targets


def vote_targets(faces: LabelledFaces, classes: int) -> Floats:
    """Float32 `(n, classes)`: shares of the votes for the classes; zeros without such votes."""
    if faces.votes is None:
        return np.zeros((len(faces), classes), np.float32)
    votes = faces.votes[:, :classes].astype(np.float32)
    return votes / np.maximum(votes.sum(axis=1, keepdims=True), 1)


def targets(faces: LabelledFaces, classes: int, label_share: float) -> Floats:
    """Float32 `(n, classes)`: a mixture of the label and the votes.

    Where one of them is not known, the other stands for it; zeros where both are.

    Args:
        faces: to train on.
        classes: of the labels.
        label_share: weight of the label, 0-1; the rest is that of the votes.
    """
    label, votes = label_targets(faces, classes), vote_targets(faces, classes)
    labelled, voted = (rows.any(axis=1, keepdims=True) for rows in (label, votes))
    share = np.where(labelled & voted, label_share, labelled).astype(np.float32)
    return share * label + (1 - share) * votes


def truths(faces: LabelledFaces, by_votes: bool) -> npt.NDArray[np.int64]:
    """The class to judge by `(n,)`: what most people voted, or the label; else `UNKNOWN`."""
    return faces.majorities if by_votes and faces.votes is not None else faces.labels
