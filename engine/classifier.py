"""Faces to expression probabilities, all faces of a frame in one batch."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from .backends.base import Backend
from .crops import face_crops
from .errors import BadInput
from .model import ExpressionFacts, FaceFrame
from .preprocess import face_inputs
from .tracing import span
from .types import Boxes, Floats, Image

# A frame, its faces' boxes, and their landmarks where they are known.
View = tuple[Image, Boxes, Floats | None]


class ExpressionClassifier:
    """Classifies faces with a converted expression model.

    Args:
        backend: an open model of kind `expression`.
        head: whose answers count, a name of `model.HEADS`.
        face_frame: of the detector that the boxes come from, see `DetectorFacts`.

    Attributes:
        facts: of the model, under that head.

    Raises:
        BadInput: the model is no expression model, or lacks that head.
    """

    def __init__(
        self, backend: Backend, head: str = "votes", face_frame: FaceFrame | None = None
    ) -> None:
        if backend.facts.expression is None:
            raise BadInput(f"{backend.name}: a {backend.facts.kind} model, no expression model")
        self._backend = backend
        facts = backend.facts.expression
        self._output = facts.output_of(head, backend.name)
        # The least confidence was fitted to what people say.
        self.facts: ExpressionFacts = (
            facts if head == "votes" else replace(facts, least_confidence=0.0)
        )
        self._face_frame = face_frame

    @property
    def labels(self) -> tuple[str, ...]:
        """The classes, in the order of the probabilities."""
        return self._backend.facts.labels

    def __call__(self, image: Image, boxes: Boxes, landmarks: Floats | None = None) -> Floats:
        """Classify the faces in `boxes` `(n, 4)` of a BGR uint8 frame.

        Args:
            image: the frame.
            boxes: around the faces.
            landmarks: of the faces, by which their eyes are levelled; see `face_crops`.

        Returns:
            float32 `(n, classes)`, rows summing to 1; `(0, classes)` without faces.
        """
        if not len(boxes):
            return np.empty((0, len(self.labels)), np.float32)
        return self._probabilities(image, self._crops(boxes, landmarks))

    def _crops(self, boxes: Boxes, landmarks: Floats | None) -> Floats:
        return face_crops(boxes, self.facts.crop_scale, self._face_frame, landmarks)

    def _probabilities(self, image: Image, crops: Floats) -> Floats:
        """The network's answer to one face or more, in squares of `face_crops`."""
        return self._backend.infer_faces(image, crops)[self._output]

    def batch(self, views: Sequence[View]) -> list[Floats]:
        """Classify the faces of several frames in one run of the network.

        Args:
            views: frames, their boxes and landmarks, as a call takes them.

        Returns:
            for each frame what a call returns.
        """
        seen = [view for view in views if len(view[1])]
        if len(seen) < 2:
            return [self(*view) for view in views]
        facts = self._backend.facts.input
        with span("crop"):
            cut = [
                face_inputs(image, self._crops(boxes, landmarks), facts)
                for image, boxes, landmarks in seen
            ]
            faces = np.concatenate(cut)
        with span("classify"):
            rows = self._backend.infer({facts.name: faces})[self._output]
        ends = np.cumsum([len(boxes) for _, boxes, _ in views])[:-1]
        return np.split(rows, ends)
