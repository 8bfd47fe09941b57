"""Figures of a classifier against what several people said of each face."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from fer_edge.engine.types import Floats

from ..data import LabelledFaces
from ..targets import vote_targets
from .metrics import (
    Accuracy,
    Labels,
    ReliabilityBin,
    accuracy,
    calibration_error,
    reliability,
)

# Shares of the faces, the surest first, at which agreement is told.
COVERAGES = tuple(round(step / 20, 2) for step in range(1, 21))
WANTED = 0.9


@dataclass(frozen=True)
class Coverage:
    """What is right where only the surest answers are given (risk-coverage curve).

    Attributes:
        share: of the faces that get an answer, 0-1.
        right: share of these answers that are right, 0-1.
        least_confidence: of the answers that are given, 0-1.
    """

    share: float
    right: float
    least_confidence: float


@dataclass(frozen=True)
class VoteFigures:
    """How well answers agree with people.

    Attributes:
        agreement: of the faces of which more than half of the votes name one class, those
            whose answer is that class.
        cross_entropy: against the votes for the classes, in nats, over all faces that have any.
        calibration_error: expected, in 15 bins, where being right is to agree; 0-1.
        reliability: bins of confidence, where being right is to agree.
        coverage: the risk-coverage curve of agreement at `COVERAGES`.
        confident: the most faces of which nine answers of ten agree; None where no part does.
    """

    agreement: Accuracy
    cross_entropy: float
    calibration_error: float
    reliability: tuple[ReliabilityBin, ...]
    coverage: tuple[Coverage, ...]
    confident: Coverage | None


def measure_votes(rows: Floats, faces: LabelledFaces) -> VoteFigures | None:
    """All figures by votes; None where no majority is known.

    Args:
        rows: probabilities `(n, classes)` of the faces.
        faces: with votes.
    """
    majorities = faces.majorities
    clear = majorities >= 0
    if not clear.any():
        return None
    wanted = vote_targets(faces, rows.shape[1])
    asked = wanted.any(axis=1)
    losses = -(wanted * np.log(np.maximum(rows, 1e-7))).sum(axis=1)
    rows, majorities = rows[clear], majorities[clear]
    curve = risk_coverage(rows, majorities)
    return VoteFigures(
        agreement=accuracy(rows.argmax(axis=1) == majorities),
        cross_entropy=float(losses[asked].mean()),
        calibration_error=calibration_error(rows, majorities),
        reliability=reliability(rows, majorities),
        coverage=tuple(_at(curve, round(share * len(rows))) for share in COVERAGES),
        confident=_most_confident(curve),
    )


def risk_coverage(rows: Floats, labels: Labels) -> npt.NDArray[np.float64]:
    """`(n, 2)`: for the k + 1 surest answers, the share that is right and the least confidence."""
    confidence = rows.max(axis=1).astype(np.float64)
    order = np.argsort(-confidence, kind="stable")
    right = (rows.argmax(axis=1) == labels)[order]
    return np.stack([np.cumsum(right) / np.arange(1, len(right) + 1), confidence[order]], axis=1)


def _at(curve: npt.NDArray[np.float64], count: int) -> Coverage:
    """The point of the curve where the `count` surest faces get an answer, at least one."""
    index = max(count, 1) - 1
    return Coverage((index + 1) / len(curve), *map(float, curve[index]))


def most_confident(rows: Floats, labels: Labels) -> Coverage | None:
    """The most faces of which nine answers of ten are right; None where no part does.

    Args:
        rows: probabilities `(n, classes)`.
        labels: the truth `(n,)`.
    """
    return _most_confident(risk_coverage(rows, labels))


def _most_confident(curve: npt.NDArray[np.float64]) -> Coverage | None:
    enough = np.flatnonzero(curve[:, 0] >= WANTED)
    return _at(curve, int(enough[-1]) + 1) if len(enough) else None
