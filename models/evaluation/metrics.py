"""Figures of a classifier."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from fer_edge.engine.types import Floats

Labels = npt.NDArray[np.int64]
Counts = npt.NDArray[np.int64]
CALIBRATION_BINS = 15


@dataclass(frozen=True)
class Accuracy:
    """Share of right answers.

    Attributes:
        right, count: faces.
        low, high: 95 % interval of the share (Wilson's score interval, 1927); 0 and 1
            without faces.
    """

    right: int
    count: int
    low: float
    high: float

    @property
    def share(self) -> float:
        """0-1; not a number without faces."""
        return self.right / self.count if self.count else float("nan")

    def __str__(self) -> str:
        if not self.count:
            return "no faces"
        return (
            f"{self.share:.1%} of {self.count:,} "
            f"(95 % interval {self.low * 100:.1f} to {self.high:.1%})"
        )


@dataclass(frozen=True)
class ClassFigures:
    """One class against the rest, each 0-1; not a number where nothing defines it.

    Attributes:
        name: of the class.
        precision, recall, f1: of the most probable class as the answer.
        auc: area under the ROC curve of its probability.
        count: faces of the class.
    """

    name: str
    precision: float
    recall: float
    f1: float
    auc: float
    count: int


@dataclass(frozen=True)
class Figures:
    """All figures of an evaluation.

    Attributes:
        accuracy: of all faces.
        without_seen: of the faces that do not occur in the training set; None where it is
            not known.
        per_class: in the order of the classes.
        confusion: faces `(classes, classes)`, true class by row, answer by column.
        calibration_error: expected, in 15 bins of confidence (Guo et al.,
            arXiv 1706.04599), 0-1.
    """

    accuracy: Accuracy
    without_seen: Accuracy | None
    per_class: tuple[ClassFigures, ...]
    confusion: Counts
    calibration_error: float

    @property
    def macro_f1(self) -> float:
        """Mean F1 over the classes that occur."""
        return float(np.mean([figures.f1 for figures in self.per_class if figures.count]))

    @property
    def macro_auc(self) -> float:
        """Mean area under the ROC curves that are defined."""
        return float(np.nanmean([figures.auc for figures in self.per_class]))


def measure(
    rows: Floats,
    labels: Labels,
    classes: tuple[str, ...],
    seen: npt.NDArray[np.bool_] | None = None,
) -> Figures:
    """Compute all figures.

    Args:
        rows: probabilities float32 `(n, classes)`.
        labels: the truth, int64 `(n,)`.
        classes: names.
        seen: which faces occur in the training set; None where it is not known.
    """
    from sklearn.metrics import confusion_matrix, precision_recall_fscore_support

    guessed = rows.argmax(axis=1)
    every = list(range(len(classes)))
    precision, recall, f1, count = precision_recall_fscore_support(
        labels, guessed, labels=every, zero_division=np.nan
    )
    curves = roc_curves(rows, labels)
    per_class = tuple(
        ClassFigures(
            name=name,
            precision=float(precision[i]),
            recall=float(recall[i]),
            f1=float(f1[i]),
            auc=curves[i].area,
            count=int(count[i]),
        )
        for i, name in enumerate(classes)
    )
    right = guessed == labels
    return Figures(
        accuracy=accuracy(right),
        without_seen=None if seen is None else accuracy(right[~seen]),
        per_class=per_class,
        confusion=confusion_matrix(labels, guessed, labels=every),
        calibration_error=calibration_error(rows, labels),
    )


def accuracy(right: npt.NDArray[np.bool_]) -> Accuracy:
    """The share of right answers with its interval."""
    from scipy.stats import binomtest

    hits, count = int(right.sum()), len(right)
    if not count:
        return Accuracy(0, 0, 0.0, 1.0)
    interval = binomtest(hits, count).proportion_ci(0.95, method="wilson")
    return Accuracy(hits, count, float(interval.low), float(interval.high))


@dataclass(frozen=True)
class Curve:
    """A ROC curve: shares of false and true alarms, both rising from 0 to 1, and its area.

    Without faces of the class, or without others, there is no curve and the area is not
    a number.
    """

    false_alarms: npt.NDArray[np.float64]
    true_alarms: npt.NDArray[np.float64]
    area: float


def roc_curves(rows: Floats, labels: Labels) -> list[Curve]:
    """A curve a class, against all others."""
    from sklearn.metrics import auc, roc_curve

    curves = []
    for index in range(rows.shape[1]):
        truth = labels == index
        if truth.all() or not truth.any():
            curves.append(Curve(np.empty(0), np.empty(0), float("nan")))
            continue
        false, true, _ = roc_curve(truth, rows[:, index])
        curves.append(Curve(false, true, float(auc(false, true))))
    return curves


def calibration_error(rows: Floats, labels: Labels, bins: int = CALIBRATION_BINS) -> float:
    """Expected calibration error: how far confidence is from accuracy, on average."""
    if not len(rows):
        return float("nan")
    filled = reliability(rows, labels, bins)
    return sum(abs(one.confidence - one.right) * one.faces for one in filled) / len(rows)


@dataclass(frozen=True)
class ReliabilityBin:
    """Faces whose answers are about equally sure.

    Attributes:
        confidence: mean, 0-1.
        right: share of right answers, 0-1.
        faces: number of them, at least one.
    """

    confidence: float
    right: float
    faces: int


def reliability(
    rows: Floats, labels: Labels, bins: int = CALIBRATION_BINS
) -> tuple[ReliabilityBin, ...]:
    """Bins of equal width over confidence, those with faces, the least sure first."""
    confidence = rows.max(axis=1)
    right = rows.argmax(axis=1) == labels
    bin_of = np.minimum((confidence * bins).astype(int), bins - 1)
    return tuple(
        ReliabilityBin(float(confidence[here].mean()), float(right[here].mean()), int(here.sum()))
        for here in (bin_of == number for number in np.unique(bin_of))
    )


def most_confidently_wrong(rows: Floats, labels: Labels, count: int) -> npt.NDArray[np.int64]:
    """Indices of up to `count` wrong answers, the surest first."""
    wrong = np.flatnonzero(rows.argmax(axis=1) != labels)
    return wrong[np.argsort(-rows[wrong].max(axis=1), kind="stable")][:count]
