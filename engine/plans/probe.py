"""What a model is tried with: the demo's photograph, and the face in it."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping

import numpy as np

from ..backends import Backend
from ..geometry import iou_matrix, xywh_from_normalised_corners
from ..model import DetectorFacts, ExpressionFacts, ModelFacts
from ..sources.demo import FACE_BOX, PHOTOGRAPH
from ..sources.images import read_image
from ..tolerances import Tolerance
from ..types import Floats, Image

Answers = list[dict[str, Floats]]


class Probe(ABC):
    """Asks a model what can be compared, and what can be timed."""

    @abstractmethod
    def work(self, backend: Backend) -> dict[str, Floats]:
        """What is timed: once through the network, with its preprocessing."""

    @abstractmethod
    def answers(self, backend: Backend) -> Answers:
        """What is compared."""

    @abstractmethod
    def difference(self, plain: Answers, others: Answers, tolerance: Tolerance) -> str:
        """In which way others are off the plain answers; empty within the tolerance."""


def probe_for(facts: ModelFacts) -> Probe:
    """The probe for a kind of model."""
    image = read_image(PHOTOGRAPH)
    if facts.detector is not None:
        return _DetectorProbe(image, facts.detector)
    assert facts.expression is not None
    return _ExpressionProbe(image, facts.expression)


class _DetectorProbe(Probe):
    """The photograph, and its mirror image at dusk."""

    def __init__(self, image: Image, facts: DetectorFacts) -> None:
        self._facts = facts
        self._frame = np.ascontiguousarray(image[:480])
        self._dusk: Image = np.ascontiguousarray(self._frame[:, ::-1] // 2)

    def work(self, backend: Backend) -> dict[str, Floats]:
        return backend.infer_frame(self._frame)

    def answers(self, backend: Backend) -> Answers:
        return [backend.infer_frame(self._frame), backend.infer_frame(self._dusk)]

    def difference(self, plain: Answers, others: Answers, tolerance: Tolerance) -> str:
        for one, other in zip(plain, others, strict=True):
            problem = self._of_a_frame(one, other, tolerance)
            if problem:
                return problem
        return ""

    def _of_a_frame(
        self, plain: Mapping[str, Floats], other: Mapping[str, Floats], tolerance: Tolerance
    ) -> str:
        scores, theirs = (found[self._facts.scores_output][0] for found in (plain, other))
        if scores.shape != theirs.shape:
            return "gives other shapes"
        column = self._facts.face_class
        ranked, ranked_there = np.sort(scores[:, column]), np.sort(theirs[:, column])
        worst = float(np.abs(ranked - ranked_there).max())
        # Written so that not-a-number fails.
        if not worst <= tolerance.score:
            return f"scores differ by {worst:.2f}"
        boxes, there = (
            xywh_from_normalised_corners(found[self._facts.boxes_output][0], 1000, 1000)
            for found in (plain, other)
        )
        sure = scores[:, column] >= tolerance.least_score
        alike = np.abs(scores[sure, column][:, None] - theirs[None, :, column]) <= tolerance.score
        found_again = (iou_matrix(boxes[sure], there) >= tolerance.iou) & alike
        missing = int((~found_again.any(axis=1)).sum())
        return f"misses {missing} of {int(sure.sum())} boxes" if missing else ""


class _ExpressionProbe(Probe):
    """The face, nearer and further off, whole and cut."""

    def __init__(self, image: Image, facts: ExpressionFacts) -> None:
        self._facts = facts
        self._image = image
        x, y, w, h = FACE_BOX
        self._one = np.array([FACE_BOX], np.float32)
        self._several = np.array(
            [
                FACE_BOX,
                (x - w / 4, y - h / 4, 1.5 * w, 1.5 * h),
                (x + w / 4, y, w, h),
                (x, y, w, w),
            ],
            np.float32,
        )

    def work(self, backend: Backend) -> dict[str, Floats]:
        return backend.infer_faces(self._image, self._one)

    def answers(self, backend: Backend) -> Answers:
        return [backend.infer_faces(self._image, self._several)]

    def difference(self, plain: Answers, others: Answers, tolerance: Tolerance) -> str:
        one, other = (found[0][self._facts.probabilities_output] for found in (plain, others))
        if one.shape != other.shape:
            return "gives other shapes"
        worst = float(np.abs(one - other).max())
        return "" if worst <= tolerance.probability else f"probabilities differ by {worst:.2f}"
