"""Evaluating a model on a split of a data set."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from fer_edge.engine.errors import BadInput

from ..data import DataSet, LabelledFaces, seen_in
from .metrics import Figures, measure
from .predictors import Predictor, align
from .report import Subject, write_report

# What an evaluation looks at where nobody says: the first of these that a data set has.
PREFERRED = ("PublicTest", "test", "val", "all")
TRAINING_NAMES = ("Training", "train")


@dataclass(frozen=True)
class Evaluation:
    """An evaluation on disk.

    Attributes:
        figures: see `Figures`.
        page: the HTML page.
        split: what was evaluated.
    """

    figures: Figures
    page: Path
    split: str


def choose_split(data: DataSet, name: str | None) -> str:
    """The split to evaluate.

    Raises:
        BadInput: the data set has none of that name.
    """
    names = {split.lower(): split for split in data.splits}
    if name is not None:
        if name.lower() not in names:
            raise BadInput(f"{data.name}: no split {name!r}; it has {', '.join(data.splits)}")
        return names[name.lower()]
    return next((split for split in PREFERRED if split in data.splits), next(iter(data.splits)))


def seen_in_training(data: DataSet, split: str) -> npt.NDArray[np.bool_] | None:
    """Which faces of a split occur in the data set's training split, if it has one."""
    for name in TRAINING_NAMES:
        if name in data.splits and name != split:
            return seen_in(data.splits[split].images, data.splits[name].images)
    return None


def evaluate(
    predictor: Predictor, path: Path, data: DataSet, split: str, folder: Path
) -> Evaluation:
    """Evaluate a model on the labelled faces of one split and write the report.

    Args:
        predictor: an open model.
        path: of its file.
        data: the data set.
        split: a name of `data.splits`.
        folder: for the report.

    Raises:
        BadInput: see `align`.
        OutputNotWritable: see `write_report`.
    """
    seen = seen_in_training(data, split)
    labelled = data.splits[split].labelled
    faces = data.splits[split].take(labelled)
    rows = align(predictor(faces.images), predictor.labels, data.classes)
    figures = measure(rows, faces.labels, data.classes, None if seen is None else seen[labelled])
    subject = Subject(
        model=predictor.name,
        sha256=hashlib.sha256(path.read_bytes()).hexdigest(),
        runs_on=predictor.runs_on,
        data=f"{data.name}, {split}",
        classes=data.classes,
    )
    page = write_report(folder, subject, figures, rows, faces.labels, faces.images, faces.names)
    return Evaluation(figures, page, split)


def held_out_only(data: DataSet, faces: LabelledFaces, name: str) -> DataSet:
    """A data set of nothing but some held-out faces, under the name they have."""
    return DataSet(data.name, data.classes, {name: faces})
