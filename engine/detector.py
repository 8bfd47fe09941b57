"""Frame to face detections: network, and non-maximum suppression."""

from __future__ import annotations

from collections.abc import Callable

import cv2
import numpy as np

from .backends.base import Backend
from .errors import BadInput
from .geometry import xywh_from_normalised_corners
from .model import DetectorFacts
from .types import Boxes, Detections, Floats, Image

# Width over height of a face's box, from a turned profile to a head on its side. Anchors
# of wide aspect fire on close-up faces too, with boxes that overlap the true one too
# little to be suppressed by it, and sometimes with a better score.
FACE_ASPECT = (0.4, 1.5)
ANY_ASPECT = (0.0, float("inf"))

FindFaces = Callable[[Image], Detections]
"""What a detector is to the pipeline: a BGR uint8 frame `(h, w, 3)` in, its faces out."""


class Detector:
    """Finds faces with a converted SSD.

    Args:
        backend: an open model of kind `detector`.
        min_score: least score of a face, 0-1; the graph's own threshold when it is higher.
        label: the class to find; None for the model's face class.
        aspect: least and largest width over height; other boxes are left out before
            suppression.

    Raises:
        BadInput: the model is no detector.
    """

    def __init__(
        self,
        backend: Backend,
        min_score: float = 0.0,
        label: str | None = None,
        aspect: tuple[float, float] = FACE_ASPECT,
    ) -> None:
        if backend.facts.detector is None:
            raise BadInput(
                f"{backend.facts.source_name}: an {backend.facts.kind} model, no detector"
            )
        self._backend = backend
        self._facts: DetectorFacts = backend.facts.detector
        labels = backend.facts.labels
        self._column = self._facts.face_class if label is None else labels.index(label)
        self._aspect = aspect
        self._min_score = max(min_score, self._facts.score_threshold)

    def __call__(self, image: Image) -> Detections:
        """Find the faces of a BGR uint8 frame `(h, w, 3)`."""
        outputs = self._outputs(image)
        corners = outputs[self._facts.boxes_output][0]
        scores = outputs[self._facts.scores_output][0, :, self._column]
        likely = scores > self._min_score
        height, width = image.shape[:2]
        boxes = xywh_from_normalised_corners(corners[likely], width, height)
        least, largest = self._aspect
        shaped = (boxes[:, 2] >= least * boxes[:, 3]) & (boxes[:, 2] <= largest * boxes[:, 3])
        return suppress(boxes[shaped], scores[likely][shaped], self._facts)

    def _outputs(self, image: Image) -> dict[str, Floats]:
        """The network's answer to a frame."""
        return self._backend.infer_frame(image)


def suppress(boxes: Boxes, scores: Floats, facts: DetectorFacts) -> Detections:
    """Greedy non-maximum suppression of boxes `(n, 4)`, best first, empty ones left out."""
    solid = boxes[:, 2:].min(axis=1, initial=np.inf) > 0
    boxes, scores = boxes[solid], scores[solid]
    kept = cv2.dnn.NMSBoxes(boxes.tolist(), scores.tolist(), 0.0, facts.iou_threshold)
    chosen = np.asarray(kept, int).ravel()[: facts.max_detections]
    return Detections(boxes[chosen], scores[chosen])
