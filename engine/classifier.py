"""Faces to expression probabilities, all faces of a frame in one batch."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from .backends.base import Backend
from .errors import BadInput
from .model import ExpressionFacts
from .preprocess import face_inputs
from .tracing import span
from .types import Boxes, Floats, Image


class ExpressionClassifier:
    """Classifies faces with a converted expression model.

    Args:
        backend: an open model of kind `expression`.
        head: whose answers count, a name of `model.HEADS`.

    Attributes:
        facts: of the model, under that head.

    Raises:
        BadInput: the model is no expression model, or lacks that head.
    """

    def __init__(self, backend: Backend, head: str = "votes") -> None:
        if backend.facts.expression is None:
            raise BadInput(f"{backend.name}: a {backend.facts.kind} model, no expression model")
        self._backend = backend
        facts = backend.facts.expression
        self._output = facts.output_of(head, backend.name)
        # The least confidence was fitted to what people say.
        self.facts: ExpressionFacts = (
            facts if head == "votes" else replace(facts, least_confidence=0.0)
        )

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
        return self._backend.infer_faces(image, boxes)[self._output]

    def batch(self, views: Sequence[tuple[Image, Boxes]]) -> list[Floats]:
        """Classify the faces of several frames in one run of the network.

        Args:
            views: frames with their boxes, as a call takes them.

        Returns:
            for each frame what a call returns.
        """
        seen = [(image, boxes) for image, boxes in views if len(boxes)]
        if len(seen) < 2:
            return [self(image, boxes) for image, boxes in views]
        facts, scale = self._backend.facts.input, self.facts.crop_scale
        with span("crop"):
            cut = [face_inputs(image, boxes, facts, scale) for image, boxes in seen]
            faces = np.concatenate(cut)
        with span("classify"):
            rows = self._backend.infer({facts.name: faces})[self._output]
        ends = np.cumsum([len(boxes) for _, boxes in views])[:-1]
        return np.split(rows, ends)
