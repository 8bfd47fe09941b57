"""Whether a quantised network still finds what the float one finds.

What a user loses are detections and answers; a mean over everything a network puts out says
little of them. Detections are compared one by one, answers as probabilities.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

import cv2
import numpy as np

from fer_edge.engine.geometry import iou_matrix, xywh_from_normalised_corners
from fer_edge.engine.model import ModelFacts
from fer_edge.engine.types import Boxes, Floats

Outputs = Mapping[str, Floats]

# Boxes that overlap by less are of different faces.
_SAME_FACE = 0.5
# A detection whose score falls or rises by more, or whose box overlaps by less, is another one.
_SCORE_MOVED, _BOX_MOVED = 0.15, 0.7
# Allowed on average over the detections: of scores, of 1 - IoU, of a landmark's distance in
# parts of the box's longer side, and of detections lost, added or moved.
_SCORE, _OVERLAP, _LANDMARK, _CHANGED = 0.01, 0.025, 0.012, 0.02
# Allowed on average over the faces: of a probability, and of the answer's probability, by the
# float network's own account: the accuracy that is lost if it is right about itself.
_PROBABILITY, _ACCURACY = 0.003, 0.003


@dataclass(frozen=True)
class Difference:
    """Between a quantised network and the float one.

    Attributes:
        figures: name to (value, allowed value); 0 is no difference.
    """

    figures: dict[str, tuple[float, float]]

    @property
    def excess(self) -> float:
        """The largest share of what is allowed; up to 1 all of it is."""
        return max((value / allowed for value, allowed in self.figures.values()), default=0.0)

    def __str__(self) -> str:
        return ", ".join(
            f"{name} {value:.4f} (allowed {allowed:g})"
            for name, (value, allowed) in self.figures.items()
        )


class Judge(Protocol):
    """Compares what a network says with what it should say."""

    def __call__(self, found: Sequence[Outputs], expected: Sequence[Outputs]) -> Difference:
        """The difference between the outputs for some inputs, an entry an input."""

    def findings(self, outputs: Outputs) -> int:
        """How much there is to compare in the outputs for one input."""


@dataclass(frozen=True)
class Found:
    """Detections `n` after suppression, the best first.

    Attributes:
        boxes: float32 `(n, 4)`, `(x, y, w, h)` in pixels of the input.
        scores: float32 `(n,)`.
        landmarks: float32 `(n, 5, 2)` in pixels of the input; None without.
    """

    boxes: Boxes
    scores: Floats
    landmarks: Floats | None


def judge_of(facts: ModelFacts) -> Judge:
    """How a model of these facts is judged."""
    if facts.kind == "detector":
        return DetectionJudge(facts)
    assert facts.expression is not None
    return AnswerJudge(facts.expression.probabilities_output)


@dataclass(frozen=True)
class AnswerJudge:
    """Compares probabilities `(1, classes)`.

    Attributes:
        output: their name.
    """

    output: str

    def __call__(self, found: Sequence[Outputs], expected: Sequence[Outputs]) -> Difference:
        """See `Judge`."""
        ours, theirs = (
            np.concatenate([outputs[self.output] for outputs in side]) for side in (found, expected)
        )
        chosen = np.take_along_axis(theirs, ours.argmax(axis=1)[:, None], axis=1)[:, 0]
        return Difference(
            {
                "probabilities off by": (float(np.abs(ours - theirs).mean()), _PROBABILITY),
                "accuracy lost": (float((theirs.max(axis=1) - chosen).mean()), _ACCURACY),
            }
        )

    def findings(self, outputs: Outputs) -> int:
        """An answer a face."""
        return len(outputs[self.output])


@dataclass(frozen=True)
class DetectionJudge:
    """Compares all detections that either of two networks makes.

    Attributes:
        facts: of the detector.
    """

    facts: ModelFacts

    def __call__(self, found: Sequence[Outputs], expected: Sequence[Outputs]) -> Difference:
        """See `Judge`."""
        pairs = [
            pair
            for ours, theirs in zip(found, expected, strict=True)
            for pair in _pairs(
                detections(ours, self.facts), detections(theirs, self.facts), self._least
            )
        ]
        if not pairs:
            return Difference({})
        score, overlap, landmark = np.array(pairs).T
        changed = (score > _SCORE_MOVED) | (overlap < _BOX_MOVED)
        figures = {
            "scores off by": (float(score.mean()), _SCORE),
            "detections changed": (float(changed.mean()), _CHANGED),
        }
        same = overlap >= _SAME_FACE
        if same.any():
            figures["boxes off by"] = float((1 - overlap[same]).mean()), _OVERLAP
            if not np.isnan(landmark[same]).any():
                figures["landmarks off by"] = float(landmark[same].mean()), _LANDMARK
        return Difference(figures)

    def findings(self, outputs: Outputs) -> int:
        """The number of detections."""
        return int((detections(outputs, self.facts).scores >= self._least).sum())

    @property
    def _least(self) -> float:
        assert self.facts.detector is not None
        return self.facts.detector.default_score


def detections(outputs: Outputs, facts: ModelFacts) -> Found:
    """What is found with at least half of the score that makes a detection."""
    about, see = facts.detector, facts.input
    assert about is not None
    scores = outputs[about.scores_output][0, :, about.face_class]
    likely = np.flatnonzero(scores >= about.default_score / 2)
    corners = outputs[about.boxes_output][0]
    boxes = xywh_from_normalised_corners(corners[likely], see.width, see.height)
    kept = cv2.dnn.NMSBoxes(boxes.tolist(), scores[likely].tolist(), 0.0, about.iou_threshold)
    chosen = np.asarray(kept, int).ravel()
    points = None
    if about.landmarks_output is not None:
        size = np.array([see.width, see.height], np.float32)
        points = outputs[about.landmarks_output][0][likely][chosen] * size
    return Found(boxes[chosen], scores[likely][chosen], points)


def _pairs(ours: Found, theirs: Found, least: float) -> Iterator[tuple[float, float, float]]:
    """(difference of scores, IoU, distance of landmarks) for each detection of either."""
    overlaps = iou_matrix(theirs.boxes, ours.boxes)
    for index in np.flatnonzero(theirs.scores >= least):
        near = int(overlaps[index].argmax()) if len(ours.boxes) else -1
        if near < 0 or overlaps[index, near] < _SAME_FACE:
            yield float(theirs.scores[index]), 0.0, float("nan")
            continue
        score = float(abs(ours.scores[near] - theirs.scores[index]))
        yield score, float(overlaps[index, near]), _distance(ours, near, theirs, int(index))
    known = overlaps.max(axis=0, initial=0.0) >= _SAME_FACE
    for index in np.flatnonzero((ours.scores >= least) & ~known):
        yield float(ours.scores[index]), 0.0, float("nan")


def _distance(ours: Found, near: int, theirs: Found, index: int) -> float:
    """Between landmarks, in parts of the box's longer side; not a number without any."""
    if ours.landmarks is None or theirs.landmarks is None:
        return float("nan")
    off = np.linalg.norm(ours.landmarks[near] - theirs.landmarks[index], axis=1).mean()
    return float(off / theirs.boxes[index, 2:].max())
