"""Evaluating a model on a split of a data set."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from fer_edge.engine.errors import BadInput
from fer_edge.engine.types import Floats

from ..data import DataSet, LabelledFaces, seen_in
from ..targets import truths
from .metrics import Figures, measure
from .predictors import Predictor, align
from .report import Extra, Subject, write_report
from .sizes import by_size
from .votes import measure_votes

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
        extra: see `Extra`.
    """

    figures: Figures
    page: Path
    split: str
    extra: Extra


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
    predictor: Predictor,
    path: Path,
    data: DataSet,
    split: str,
    folder: Path,
    sizes: bool = False,
) -> Evaluation:
    """Evaluate a model on the labelled faces of one split and write the report.

    Args:
        predictor: an open model.
        path: of its file.
        data: the data set.
        split: a name of `data.splits`.
        folder: for the report.
        sizes: whether to ask about smaller faces too.

    Raises:
        BadInput: see `align`.
        OutputNotWritable: see `write_report`.
    """
    every = data.splits[split]
    seen = seen_in_training(data, split)

    def answers(images: npt.NDArray[np.uint8]) -> Floats:
        return align(predictor(images), predictor.labels, data.classes)

    of_every = answers(every.images)
    labelled = every.labelled
    faces, rows = every.take(labelled), of_every[labelled]
    figures = measure(rows, faces.labels, data.classes, None if seen is None else seen[labelled])
    votes = None if every.votes is None else measure_votes(of_every, every)
    judged = truths(every, by_votes=votes is not None and not predictor.names_labels)
    known = judged >= 0
    extra = Extra(votes, by_size(answers, every.images[known], judged[known]) if sizes else ())
    subject = Subject(
        model=predictor.name,
        sha256=hashlib.sha256(path.read_bytes()).hexdigest(),
        runs_on=predictor.runs_on,
        data=f"{data.name}, {split}",
        classes=data.classes,
    )
    page = write_report(
        folder, subject, figures, rows, faces.labels, faces.images, faces.names, extra
    )
    return Evaluation(figures, page, split, extra)


def held_out_only(data: DataSet, faces: LabelledFaces, name: str) -> DataSet:
    """A data set of nothing but some held-out faces, under the name they have."""
    return DataSet(data.name, data.classes, {name: faces})
