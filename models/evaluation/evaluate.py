"""Evaluating a model on a split of a data set."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from fer_edge.engine.types import Floats

from ..data import DataSet, LabelledFaces, seen_in
from ..data.faces import Images
from ..targets import truths
from .crops import Answers, Cropping, measure_crops
from .metrics import Figures, Labels, measure
from .predictors import Predictor, align
from .report import Extra, Subject, write_report
from .sizes import SizeFigures, by_size
from .votes import measure_votes

TRAINING_NAMES = ("Training", "train")


@dataclass(frozen=True)
class Evaluation:
    """An evaluation on disk.

    Attributes:
        subject: see `Subject`.
        figures: see `Figures`.
        extra: see `Extra`.
        rows, labels: the answers to the labelled faces, and their labels.
        page: the HTML page.
    """

    subject: Subject
    figures: Figures
    extra: Extra
    rows: Floats
    labels: Labels
    page: Path


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
    cropping: Cropping | None = None,
) -> Evaluation:
    """Evaluate a model on the labelled faces of one split and write the report.

    Args:
        predictor: an open model.
        path: of its file.
        data: the data set.
        split: a name of `data.splits`.
        folder: for the report.
        sizes: whether to ask about smaller faces too.
        cropping: what a detector found of the split, which then has those faces alone.

    Raises:
        BadInput: see `align`.
        OutputNotWritable: see `write_report`.
    """
    every = data.splits[split]
    seen = seen_in_training(data, split)

    def answers(images: Images) -> Floats:
        return align(predictor(images), predictor.labels, data.classes)

    def judged(faces: LabelledFaces) -> Labels:
        return truths(faces, by_votes=faces.votes is not None and not predictor.names_labels)

    of_every = answers(every.seen)
    labelled = every.labelled
    faces, rows = every.take(labelled), of_every[labelled]
    figures = measure(rows, faces.labels, data.classes, None if seen is None else seen[labelled])
    votes = None if every.votes is None else measure_votes(of_every, every)
    extra = Extra(
        votes,
        _by_size(answers, every, judged(every)) if sizes and cropping is None else (),
        None if cropping is None else measure_crops(answers, judged, cropping),
    )
    subject = Subject(
        model=predictor.name,
        sha256=hashlib.sha256(path.read_bytes()).hexdigest(),
        runs_on=predictor.runs_on,
        data=f"{data.name}, {split}" + (f", cropped by {cropping.detector}" if cropping else ""),
        classes=data.classes,
    )
    page = write_report(
        folder, subject, figures, rows, faces.labels, faces.images, faces.names, extra
    )
    return Evaluation(subject, figures, extra, rows, faces.labels, page)


def _by_size(answers: Answers, faces: LabelledFaces, truth: Labels) -> tuple[SizeFigures, ...]:
    known = truth >= 0
    return by_size(answers, faces.images[known], truth[known])


def held_out_only(data: DataSet, faces: LabelledFaces, name: str) -> DataSet:
    """A data set of nothing but some held-out faces, under the name they have."""
    return DataSet(data.name, data.classes, {name: faces})
