"""Frame to face detections: network, and non-maximum suppression."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from math import log

import cv2
import numpy as np

from .backends.base import Backend
from .errors import BadInput
from .geometry import clipped, xywh_from_corners
from .input_size import InputSizes
from .model import DetectorFacts, InputFacts
from .preprocess import seen_extent
from .tracing import span
from .types import Detections, Floats, Image

# Width over height of a face's box, from a turned profile to a head on its side. Anchors
# of wide aspect fire on close-up faces too, with boxes that overlap the true one too
# little to be suppressed by it, and sometimes with a better score.
FACE_ASPECT = (0.4, 1.5)
ANY_ASPECT = (0.0, float("inf"))

FindFaces = Callable[[Image], Detections]
"""What a detector is to the pipeline: a BGR uint8 frame `(h, w, 3)` in, its faces out."""


class Detector:
    """Finds faces with a converted detector.

    Args:
        backend: an open model of kind `detector`.
        min_score: least score of a face, 0-1; the graph's own threshold when it is higher.
        label: the class to find; None for the model's face class.
        aspect: least and largest width over height; other boxes are left out before
            suppression.
        sizes: chooses the sizes of the input, of a network that leaves them open.
        calibrated: raise the scores of large faces as the facts say, so that a score means the
            same for faces of all sizes; False gives the network's own.

    Raises:
        BadInput: the model is no detector.
    """

    def __init__(
        self,
        backend: Backend,
        min_score: float = 0.0,
        label: str | None = None,
        aspect: tuple[float, float] = FACE_ASPECT,
        sizes: InputSizes | None = None,
        calibrated: bool = True,
    ) -> None:
        if backend.facts.detector is None:
            raise BadInput(f"{backend.name}: an {backend.facts.kind} model, no detector")
        self._backend = backend
        self._facts: DetectorFacts = backend.facts.detector
        labels = backend.facts.labels
        self._column = self._facts.face_class if label is None else labels.index(label)
        self._aspect = aspect
        self._min_score = max(min_score, self._facts.score_threshold)
        self._sizes = sizes or InputSizes()
        self._large_power = _large_power(self._facts) if calibrated else 1.0

    def __call__(self, image: Image) -> Detections:
        """Find the faces of a BGR uint8 frame `(h, w, 3)`."""
        height, width = image.shape[:2]
        inputs = self._sizes.of(width, height, self._backend.facts.input, self._facts)
        seen = zip(self._outputs(image, inputs), inputs, strict=True)
        with span("NMS"):
            found = [self._likely(outputs, see, width, height) for outputs, see in seen]
            return suppress(joined(found), self._facts, width, height)

    def scale(self, width: int, height: int) -> float:
        """Pixels of the network's input, of the largest, for one of a frame of a size."""
        see = self._sizes.of(width, height, self._backend.facts.input, self._facts)[0]
        return see.width / seen_extent(width, height, see)[0]

    def _likely(
        self, outputs: Mapping[str, Floats], see: InputFacts, width: int, height: int
    ) -> Detections:
        """What may be a face in one answer of the network, in pixels of the frame."""
        corners = outputs[self._facts.boxes_output][0]
        scores = outputs[self._facts.scores_output][0, :, self._column]
        # What a large face needs is less than what a small one does.
        likely = scores > self._min_score ** (1 / self._large_power)
        extent = seen_extent(width, height, see)
        boxes = xywh_from_corners(corners[likely], *extent)
        scores = self._calibrated(scores[likely], boxes[:, 2:].min(axis=1) * see.width / extent[0])
        least, largest = self._aspect
        shaped = (boxes[:, 2] >= least * boxes[:, 3]) & (boxes[:, 2] <= largest * boxes[:, 3])
        kept = shaped & (scores > self._min_score)
        landmarks = None
        if self._facts.landmarks_output is not None:
            points = outputs[self._facts.landmarks_output][0][likely][kept]
            landmarks = points * np.asarray(extent, np.float32)
        return Detections(boxes[kept], scores[kept], landmarks)

    def _calibrated(self, scores: Floats, sides: Floats) -> Floats:
        """Scores `(n,)` of faces whose shorter sides are so long in the input."""
        if self._large_power == 1:
            return scores
        large = sides >= self._facts.large_face
        return np.where(large, scores**self._large_power, scores).astype(np.float32)

    def _outputs(self, image: Image, inputs: Sequence[InputFacts]) -> list[dict[str, Floats]]:
        """The network's answers to a frame, seen in each of some sizes."""
        return [self._backend.infer_frame(image, see) for see in inputs]


def _large_power(facts: DetectorFacts) -> float:
    """The power to which a large face's score is raised: 0 and 1 stay what they are."""
    if not facts.large_face:
        return 1.0
    return log(facts.default_score) / log(facts.large_face_score)


def joined(found: Sequence[Detections]) -> Detections:
    """The detections of several looks at one frame."""
    if len(found) == 1:
        return found[0]
    points = [part.landmarks for part in found if part.landmarks is not None]
    return Detections(
        np.concatenate([part.boxes for part in found]),
        np.concatenate([part.scores for part in found]),
        np.concatenate(points) if points else None,
    )


def suppress(found: Detections, facts: DetectorFacts, width: int, height: int) -> Detections:
    """Greedy non-maximum suppression, best first; then clipped to the frame.

    In this order, as in TensorFlow's Object Detection API: the parts of two boxes that are in
    the frame may overlap by more than the boxes do.

    Args:
        found: boxes may stick out of the frame.
        facts: thresholds.
        width, height: of the frame; boxes of which nothing is in it are left out.
    """
    inside = clipped(found.boxes, width, height)
    solid = np.flatnonzero(inside[:, 2:].min(axis=1, initial=np.inf) > 0)
    kept = cv2.dnn.NMSBoxes(
        found.boxes[solid].tolist(), found.scores[solid].tolist(), 0.0, facts.iou_threshold
    )
    chosen = solid[np.asarray(kept, int).ravel()[: facts.max_detections]]
    return replace(found, boxes=inside).take(chosen)
