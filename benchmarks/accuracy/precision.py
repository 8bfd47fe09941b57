"""From matched detections to precision, recall and average precision."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from ..intervals import Interval
from .matching import Matches

Values = npt.NDArray[np.float64]
RESAMPLES = 400
# Points of a curve that a report keeps.
POINTS = 200


@dataclass(frozen=True)
class Curve:
    """Precision and recall at every score that occurs, the best first.

    Attributes:
        scores: float64 `(n,)`, falling. Detections of one score come in together.
        precision, recall: float64 `(n,)`, 0-1, of the detections of that score or a better one.
    """

    scores: Values
    precision: Values
    recall: Values

    def at(self, score: float) -> tuple[float | None, float]:
        """Precision (None without a detection) and recall of the detections from `score` on."""
        count = int((self.scores >= score).sum())
        if not count:
            return None, 0.0
        return float(self.precision[count - 1]), float(self.recall[count - 1])

    def thinned(self, points: int = POINTS) -> Curve:
        """At most so many points of it: half of them evenly by count, half by recall."""
        count = len(self.scores)
        if not count:
            return self
        by_count = np.linspace(0, count - 1, points // 2).round().astype(int)
        recalls = np.linspace(0, self.recall[-1], points // 2)
        kept = np.union1d(by_count, np.searchsorted(self.recall, recalls))
        return Curve(self.scores[kept], self.precision[kept], self.recall[kept])


class Pool:
    """The detections of many pictures, from which pictures can be drawn again.

    Args:
        matches: a picture each.
    """

    def __init__(self, matches: Sequence[Matches]) -> None:
        self.pictures = len(matches)
        self.faces = sum(one.faces for one in matches)
        scores = np.concatenate([np.empty(0), *(one.scores for one in matches)])
        right = np.concatenate([np.empty(0, bool), *(one.right for one in matches)])
        owner = np.repeat(np.arange(self.pictures), [len(one.scores) for one in matches])
        order = np.argsort(-scores, kind="stable")
        self._right, self._owner = right[order], owner[order]
        self._faces = np.array([one.faces for one in matches], np.float64)
        scores = scores[order]
        # Of detections with the same score, the last: none of them can be had without the others.
        self._ends = np.flatnonzero(np.append(scores[1:] != scores[:-1], True)[: len(scores)])
        self._scores = scores[self._ends]

    def curve(self) -> Curve:
        """Precision and recall over the scores."""
        return Curve(self._scores, *self._curve(np.ones(self.pictures)))

    def average_precision(self) -> float | None:
        """See `area`; None without a face to find."""
        return area(*self._curve(np.ones(self.pictures))) if self.faces else None

    def resampled(self, seed: int = 0) -> Values:
        """Average precision of `RESAMPLES` draws of as many pictures, with replacement.

        Pools of the same pictures get the same draws for the same seed. A draw without a face
        is nan.
        """
        rng = np.random.default_rng(seed)
        drawn = np.empty(RESAMPLES)
        for index in range(RESAMPLES):
            picks = rng.integers(0, self.pictures, self.pictures)
            weights = np.bincount(picks, minlength=self.pictures).astype(np.float64)
            known = weights @ self._faces > 0
            drawn[index] = area(*self._curve(weights)) if known else np.nan
        return drawn

    def _curve(self, weights: Values) -> tuple[Values, Values]:
        """Precision and recall where picture i occurs `weights[i]` times."""
        times = weights[self._owner]
        right = np.cumsum(times * self._right)[self._ends]
        shown = np.cumsum(times)[self._ends]
        faces = weights @ self._faces
        # Before the first detection that is drawn nothing is wrong.
        precision = np.divide(right, shown, out=np.ones(len(shown)), where=shown > 0)
        return precision, right / faces if faces else np.zeros(len(right))


def area(precision: Values, recall: Values) -> float:
    """Average precision: the area under the envelope of precision over recall.

    All points count, as in VOC from 2010 on (M. Everingham et al., "The PASCAL Visual Object
    Classes Challenge: A Retrospective", IJCV 2015): at each recall that is reached, the best
    precision at this recall or a higher one, times the step of recall that leads there. What
    is never found adds nothing. COCO's figure reads the same envelope at 101 recalls.

    Args:
        precision, recall: `(n,)`, of detections from the best score down.
    """
    envelope = np.maximum.accumulate(precision[::-1])[::-1]
    return float(np.sum(np.diff(recall, prepend=0.0) * envelope))


def interval(value: float | None, drawn: Values) -> Interval | None:
    """A value with the middle 95 % of its draws (bootstrap over pictures)."""
    if value is None:
        return None
    low, high = np.nanpercentile(drawn, [2.5, 97.5])
    return Interval(value, float(low), float(high))
