"""Does the converted model compute what the original computes?

The converted side goes through the runtime's own code, preprocessing and suppression
included; the original side is TensorFlow or ONNX Runtime on the untouched file.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from fer_edge.engine.backends import Backend
from fer_edge.engine.detector import ANY_ASPECT, Detector
from fer_edge.engine.errors import ParityError
from fer_edge.engine.geometry import iou_matrix
from fer_edge.engine.input_size import InputSizes
from fer_edge.engine.preprocess import network_input
from fer_edge.engine.tolerances import Tolerance
from fer_edge.engine.types import Detections, Floats, Image

from .images import face_pixels, sampled_exactly
from .originals import OpenOriginal, OriginalDetector

# Probabilities that differ by less between faces say nothing about a conversion.
LEAST_SPREAD = 0.01
# Survivors below this score are never faces; their boxes may be anything.
LEAST_SURVIVOR = 0.05


@dataclass(frozen=True)
class DetectorParity:
    """A detector against its original.

    Attributes:
        images: pictures compared.
        least_score: of the detections that are compared.
        detections: the original's, of that score, over all classes.
        matched: those found again within tolerance.
        min_iou, max_score_error: over the detections.
        max_landmark_error: largest distance of one of their landmarks, over the longer side of
            the box; 0 without landmarks.
        mean_survivor_error, max_survivor_error: differences of the k best scores,
            sorted, whether or not they are detections.
        max_box_error: of the survivors' corners, in parts of the frame, as far as the
            original's nearest box, for survivors of a score that counts.
    """

    images: int
    least_score: float
    detections: int
    matched: int
    min_iou: float
    max_score_error: float
    max_landmark_error: float
    mean_survivor_error: float
    max_survivor_error: float
    max_box_error: float

    def rows(self) -> dict[str, str]:
        """For people."""
        return {
            "compared on": f"{self.images} images, {self.detections} detections of score >= "
            f"{self.least_score:g}",
            "detections matched": f"{self.matched} of {self.detections}",
            "IoU": f"{self.min_iou:.4f} at least" if self.detections else "no detection to compare",
            "score error": f"{self.max_score_error:.2e} largest",
            "landmark error": f"{self.max_landmark_error:.2e} of the face largest",
            "survivors' scores": f"{self.max_survivor_error:.2e} largest, "
            f"{self.mean_survivor_error:.2e} mean",
            "survivors' corners": f"{self.max_box_error:.2e} of the frame largest",
        }

    def notes(self) -> list[str]:
        """What a user should know about these figures."""
        if self.detections:
            return []
        return [
            f"the original detects nothing of score >= {self.least_score:g} in these pictures; "
            "give some of your own with --images"
        ]

    def check(self, tolerance: Tolerance) -> None:
        """Raise ParityError when out of tolerance."""
        if self.detections - self.matched > tolerance.strays * self.detections:
            raise ParityError(
                f"{self.detections - self.matched} of {self.detections} detections differ: IoU "
                f"down to {self.min_iou:.4f} (allowed {tolerance.iou:g}), scores by up to "
                f"{self.max_score_error:.4f} (allowed {tolerance.score:g}), landmarks by up to "
                f"{self.max_landmark_error:.4f} of the face (allowed {tolerance.landmark:g})"
            )
        # Written so that not-a-number fails.
        if not max(self.max_survivor_error, self.max_box_error) <= tolerance.score:
            raise ParityError(
                f"scores differ by up to {self.max_survivor_error:.4f} and corners by "
                f"{self.max_box_error:.4f} of the frame (allowed {tolerance.score:g})"
            )


@dataclass(frozen=True)
class ExpressionParity:
    """An expression model against its original.

    Attributes:
        faces: compared.
        max_error, mean_error: of probabilities.
        agreement: share of faces with the same most probable class.
        spread: how far the original's probability of a class goes apart over the faces.
    """

    faces: int
    max_error: float
    mean_error: float
    agreement: float
    spread: float

    def rows(self) -> dict[str, str]:
        """For people."""
        return {
            "compared on": f"{self.faces} faces",
            "probability error": f"{self.max_error:.2e} largest, {self.mean_error:.2e} mean",
            "top-1 agreement": f"{self.agreement:.2%}",
        }

    def notes(self) -> list[str]:
        """What a user should know about these figures."""
        if self.spread > LEAST_SPREAD:
            return []
        return [
            "the original gives all faces the same probabilities: is it trained, and is "
            "--input-range right? Parity proves little here"
        ]

    def check(self, tolerance: Tolerance) -> None:
        """Raise ParityError when out of tolerance."""
        # Written so that not-a-number fails.
        if not (self.max_error <= tolerance.probability and self.agreement >= tolerance.agreement):
            raise ParityError(
                f"probabilities differ by up to {self.max_error:.2e} (allowed "
                f"{tolerance.probability:g}), top-1 agreement {self.agreement:.2%}"
            )


Parity = DetectorParity | ExpressionParity


def as_json(parity: Parity) -> dict[str, Any]:
    """The figures by name."""
    return asdict(parity)


def compare_detectors(
    original: OriginalDetector, backend: Backend, images: Sequence[Image], tolerance: Tolerance
) -> DetectorParity:
    """Hold a converted detector against what it was made of.

    Args:
        original: the network before.
        backend: the converted file, open.
        images: BGR uint8 pictures of any size; see `sampled_exactly`.
        tolerance: what counts as matched.
    """
    images = [sampled_exactly(image, backend.facts.input) for image in images]
    found: list[_Match] = []
    survivor_errors: list[Floats] = []
    box_errors: list[float] = []
    with original.opened() as before:
        for image in images:
            found += _detections(before, backend, image, tolerance.least_score)
            scores_off, boxes_off = _survivors(before, backend, image)
            survivor_errors.append(scores_off)
            box_errors.append(boxes_off)
    errors = np.concatenate(survivor_errors)
    return DetectorParity(
        images=len(images),
        least_score=tolerance.least_score,
        detections=len(found),
        matched=sum(match.within(tolerance) for match in found),
        min_iou=min((match.iou for match in found), default=1.0),
        max_score_error=max((match.score_error for match in found), default=0.0),
        max_landmark_error=max((match.landmark_error for match in found), default=0.0),
        mean_survivor_error=float(errors.mean()),
        max_survivor_error=float(errors.max()),
        max_box_error=max(box_errors),
    )


def compare_expressions(
    original: Callable[[Floats], Floats], backend: Backend, faces: Sequence[Image]
) -> ExpressionParity:
    """Hold a converted expression model against the original.

    Args:
        original: pixels float32 `(n, h, w, c)`, 0-255, to probabilities.
        backend: the converted file, open.
        faces: BGR uint8 pictures of the network's size.
    """
    facts = backend.facts.input
    assert backend.facts.expression is not None
    expected = original(face_pixels(faces, facts.colour))
    found = backend.infer(
        {facts.name: np.concatenate([network_input(face, facts) for face in faces])}
    )[backend.facts.expression.probabilities_output]
    errors = np.abs(found - expected)
    return ExpressionParity(
        faces=len(faces),
        max_error=float(errors.max()),
        mean_error=float(errors.mean()),
        agreement=float((found.argmax(axis=1) == expected.argmax(axis=1)).mean()),
        spread=float(np.ptp(expected, axis=0).max()),
    )


@dataclass(frozen=True)
class _Match:
    """One of the original's detections beside our nearest one; errors as in `DetectorParity`."""

    iou: float
    score_error: float
    landmark_error: float

    def within(self, tolerance: Tolerance) -> bool:
        # Written so that not-a-number fails.
        return (
            self.iou >= tolerance.iou
            and self.score_error <= tolerance.score
            and self.landmark_error <= tolerance.landmark
        )


def _detections(
    before: OpenOriginal, backend: Backend, image: Image, least_score: float
) -> list[_Match]:
    """The original's detections of all classes, and what the runtime finds in their place."""
    matches: list[_Match] = []
    see = backend.facts.input
    sizes = InputSizes(fixed=(see.width, see.height))
    for label, theirs in zip(
        backend.facts.labels, before.detections(image, least_score), strict=True
    ):
        ours = Detector(backend, least_score / 2, label, ANY_ASPECT, sizes, calibrated=False)(image)
        matches += _matched(theirs, ours)
    return matches


def _matched(theirs: Detections, ours: Detections) -> list[_Match]:
    """Each of their detections beside our nearest one."""
    if not len(ours):
        return [_Match(0.0, float(score), 0.0) for score in theirs.scores]
    overlap = iou_matrix(theirs.boxes, ours.boxes)
    matches = []
    for index, row in enumerate(overlap):
        nearest = int(row.argmax())
        error = abs(float(ours.scores[nearest] - theirs.scores[index]))
        landmarks = 0.0
        if theirs.landmarks is not None:
            landmarks = float("inf")
            if ours.landmarks is not None:
                apart = np.linalg.norm(ours.landmarks[nearest] - theirs.landmarks[index], axis=1)
                landmarks = float(apart.max() / theirs.boxes[index, 2:].max())
        matches.append(_Match(float(row[nearest]), error, landmarks))
    return matches


def _survivors(before: OpenOriginal, backend: Backend, image: Image) -> tuple[Floats, float]:
    """Errors of the k best scores, and the largest distance of a survivor's corners."""
    facts = backend.facts
    assert facts.detector is not None
    outputs = backend.infer({facts.input.name: network_input(image, facts.input)})
    our_boxes = outputs[facts.detector.boxes_output][0]
    our_scores = outputs[facts.detector.scores_output][0].max(axis=1)
    all_of_them = before.candidates(image)
    best = np.sort(all_of_them.scores)[::-1][: len(our_scores)]
    counting = our_boxes[our_scores >= LEAST_SURVIVOR]
    apart = np.abs(counting[:, None] - all_of_them.corners[None]).max(axis=2)
    distance = apart.min(axis=1)
    return np.abs(np.sort(our_scores)[::-1] - best), float(distance.max(initial=0.0))
