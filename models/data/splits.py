"""Which faces are trained on and which are held out; a person is never on both sides."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from fer_edge.engine.errors import BadInput

from .faces import DataSet, LabelledFaces, join

# CK+ names its images S010_004_00000015.png: person, recording, frame.
SUBJECT_REGEX = r"(S\d{2,})_\d+_\d+"
HELD_OUT_SHARE = 5


@dataclass(frozen=True)
class Division:
    """Faces to train on, and faces to judge by.

    Attributes:
        training, held_out: the faces.
        held_out_name: what the author calls the held-out ones, or how they were chosen.
        subjects: number of people in both together; None where names do not tell.
    """

    training: LabelledFaces
    held_out: LabelledFaces
    held_out_name: str
    subjects: int | None = None


def divide(data: DataSet, seed: int, subject_regex: str = SUBJECT_REGEX) -> Division:
    """Divide as the author did, or else hold out a fifth.

    FER2013 is judged by PublicTest, and its PrivateTest is never touched. A folder with
    `val` is judged by it; `test` stays out of training and of every choice.

    Raises:
        BadInput: nothing to train on, or too few faces or people to hold some out.
    """
    splits = data.splits
    if "Training" in splits and "PublicTest" in splits:
        return Division(splits["Training"], splits["PublicTest"], "PublicTest")
    if "train" in splits and "val" in splits:
        return Division(splits["train"], splits["val"], "val")
    faces = next((splits[name] for name in ("train", "Training", "all") if name in splits), None)
    if faces is None:
        raise BadInput(f"{data.name}: nothing to train on; it has {', '.join(splits)}")
    return folds(faces, HELD_OUT_SHARE, seed, subject_regex)[0]


def everything(data: DataSet) -> LabelledFaces:
    """All faces to train and cross-validate on: those of `test` and PrivateTest are not."""
    kept = [faces for name, faces in data.splits.items() if name not in ("test", "PrivateTest")]
    if not kept:
        raise BadInput(f"{data.name}: nothing to train on; it has {', '.join(data.splits)}")
    return join(kept)


def folds(
    faces: LabelledFaces, count: int, seed: int, subject_regex: str = SUBJECT_REGEX
) -> list[Division]:
    """Divide into `count` parts of like classes, each held out once.

    Where every name tells a person, a person is in one part only; otherwise faces are
    divided one by one.

    Raises:
        BadInput: fewer people, or fewer faces of a class, than parts.
    """
    from sklearn.model_selection import StratifiedGroupKFold, StratifiedKFold

    people = subjects(faces.names, subject_regex)
    number = None if people is None else len(set(people.tolist()))
    if number is not None and number < count:
        raise BadInput(f"{number} people cannot be divided into {count} parts")
    rarest = int(np.bincount(faces.labels)[np.unique(faces.labels)].min())
    if rarest < count:
        raise BadInput(f"a class of {rarest} faces cannot be divided into {count} parts")
    how = StratifiedKFold if people is None else StratifiedGroupKFold
    parts = how(count, shuffle=True, random_state=seed).split(faces.images, faces.labels, people)
    return [
        Division(faces.take(train), faces.take(held), f"held-out part {index} of {count}", number)
        for index, (train, held) in enumerate(parts, start=1)
    ]


def keep_back(faces: LabelledFaces, share: float) -> tuple[LabelledFaces, LabelledFaces]:
    """(the others, about a share of the faces), by their pictures: equal ones stay together."""
    kept = np.array([_place(image) < share for image in faces.images], bool)
    return faces.take(~kept), faces.take(kept)


def _place(image: npt.NDArray[np.uint8]) -> float:
    """A number from 0 to below 1 that depends on the picture alone."""
    return int.from_bytes(hashlib.sha256(image.tobytes()).digest()[:4], "big") / 2**32


def subjects(names: Sequence[str], pattern: str = SUBJECT_REGEX) -> npt.NDArray[np.str_] | None:
    """The person each name tells, by the pattern's first group or its whole match.

    Returns:
        One string a name, or None where some name tells none.

    Raises:
        BadInput: not a regular expression.
    """
    try:
        compiled = re.compile(pattern)
    except re.error as error:
        raise BadInput(f"subject pattern {pattern!r}: {error}") from error
    found = [compiled.search(name) for name in names]
    people = [match[1 if compiled.groups else 0] for match in found if match]
    if not people or len(people) < len(names) or None in people:
        return None
    return np.array(people)
