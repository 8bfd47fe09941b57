"""Faces to expression probabilities, all faces of a frame in one batch."""

from __future__ import annotations

import numpy as np

from .backends.base import Backend
from .errors import BadInput
from .model import ExpressionFacts
from .types import Boxes, Floats, Image


class ExpressionClassifier:
    """Classifies faces with a converted expression model.

    Args:
        backend: an open model of kind `expression`.

    Raises:
        BadInput: the model is no expression model.
    """

    def __init__(self, backend: Backend) -> None:
        if backend.facts.expression is None:
            raise BadInput(
                f"{backend.facts.source_name}: a {backend.facts.kind} model, no expression model"
            )
        self._backend = backend
        self._facts: ExpressionFacts = backend.facts.expression

    @property
    def labels(self) -> tuple[str, ...]:
        """The classes, in the order of the probabilities."""
        return self._backend.facts.labels

    def __call__(self, image: Image, boxes: Boxes) -> Floats:
        """Classify the faces in `boxes` `(n, 4)` of a BGR uint8 frame.

        Returns:
            float32 `(n, classes)`, rows summing to 1; `(0, classes)` without faces.
        """
        if not len(boxes):
            return np.empty((0, len(self.labels)), np.float32)
        return self._probabilities(image, boxes)

    def _probabilities(self, image: Image, boxes: Boxes) -> Floats:
        """The network's answer to one face or more."""
        return self._backend.infer_faces(image, boxes)[self._facts.probabilities_output]
