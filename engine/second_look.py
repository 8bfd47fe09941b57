"""A second look where a head may be tilted: the frame is turned about it until it is upright."""

from __future__ import annotations

import cv2
import numpy as np
import numpy.typing as npt

from .backends.base import Backend
from .detector import Detector, joined
from .geometry import Transform, clipped, iou_matrix, turned
from .head_pose import head_pose
from .input_size import InputSizes
from .types import Detections, Floats, Image

Flags = npt.NDArray[np.bool_]

# What has this part of the score that a face has by default may be one.
DOUBT = 0.4
# In pixels of the network's input: what is smaller has landmarks that tell little.
LEAST_SIDE = 20.0
# Degrees, of what may be a face and of what surely is one.
LEAST_ROLL, LEAST_ROLL_OF_SURE = 15.0, 20.0
# Degrees. Landmarks tell the side, not how far; a network finds what is then left of the tilt.
TURN = 40.0
# Of two boxes of the same face, one of them turned back.
SAME_IOU = 0.3


class SecondLook:
    """A `Detector` that looks again where heads are tilted.

    Networks find fewer tilted faces, with boxes that lie worse. Where the landmarks of something
    large are tilted, though its score be too low for a face, the frame is turned about it, the
    other way, and looked at once more. What then is surely a face takes its place. Heads that are
    tilted to the same side share a look, and a frame without any costs nothing.

    Args:
        backend: an open detector that finds landmarks.
        min_score, sizes: see `Detector`.

    Raises:
        BadInput: the model is no detector.
    """

    def __init__(
        self, backend: Backend, min_score: float = 0.0, sizes: InputSizes | None = None
    ) -> None:
        facts = backend.facts.detector
        default = facts.default_score if facts is not None else 0.0
        self._min_score, self._sure = min_score, max(min_score, default)
        self._detector = Detector(backend, min(min_score, DOUBT * default), sizes=sizes)
        self._doubt = DOUBT * default

    def __call__(self, image: Image) -> Detections:
        """Find the faces of a BGR uint8 frame `(h, w, 3)`."""
        seen = self._detector(image)
        found = seen.take(seen.scores > self._min_score)
        rolls = self._rolls(seen, image)
        for tilted, degrees in ((rolls > 0, TURN), (rolls < 0, -TURN)):
            if tilted.any():
                found = self._improved(found, seen.take(tilted), degrees, image)
        return found

    def _rolls(self, seen: Detections, image: Image) -> Floats:
        """The tilts `(n,)` of what shall be looked at again, in degrees clockwise; else 0."""
        height, width = image.shape[:2]
        scale = self._detector.scale(width, height)
        rolls = np.zeros(len(seen), np.float32)
        for row, box in enumerate(seen.boxes):
            if seen.scores[row] > self._doubt and min(box[2:]) * scale >= LEAST_SIDE:
                rolls[row] = _roll(seen, row)
        least = np.where(seen.scores < self._sure, LEAST_ROLL, LEAST_ROLL_OF_SURE)
        rolls[np.abs(rolls) < least] = 0
        return rolls

    def _improved(
        self, found: Detections, tilted: Detections, degrees: float, image: Image
    ) -> Detections:
        """What was found, with what a look at the turned frame says of tilted faces.

        Args:
            found: so far.
            tilted: one or more.
            degrees: of the turn, against the clock.
            image: the frame.
        """
        height, width = image.shape[:2]
        x, y = (tilted.boxes[:, :2] + tilted.boxes[:, 2:] / 2).mean(axis=0).tolist()
        turn = cv2.getRotationMatrix2D((x, y), degrees, 1.0)
        upright: Image = cv2.warpAffine(image, turn, (width, height))  # type: ignore[assignment]
        seen = _turned(self._detector(upright), cv2.invertAffineTransform(turn), width, height)
        better = seen.take((seen.scores >= self._sure) & _overlaps(seen, tilted))
        both = joined([found.take(~_overlaps(found, better)), better])
        return both.take(np.argsort(-both.scores, kind="stable"))


def _roll(found: Detections, row: int) -> float:
    """Of a face, in degrees clockwise; 0 where its landmarks do not tell."""
    assert found.landmarks is not None, "only detectors with landmarks get a second look"
    pose = head_pose(found.landmarks[row].tolist())
    return 0.0 if pose is None else pose.roll


def _overlaps(some: Detections, others: Detections) -> Flags:
    """Which of some detections `(n,)` are of the same face as one of the others."""
    return np.asarray((iou_matrix(some.boxes, others.boxes) >= SAME_IOU).any(axis=1))


def _turned(found: Detections, turn: Transform, width: int, height: int) -> Detections:
    """Detections as they lie after a turn, in a frame of a size."""
    assert found.landmarks is not None, "only detectors with landmarks get a second look"
    boxes = clipped(turned(found.boxes, turn), width, height)
    landmarks = found.landmarks @ turn[:, :2].T + turn[:, 2]
    return Detections(boxes, found.scores, landmarks.astype(np.float32))
