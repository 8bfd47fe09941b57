"""Cutting the face out of a photograph with the project's own detector."""

from __future__ import annotations

import numpy as np

from fer_edge.engine.config import EXPRESSION_FILE, PipelineConfig, shipped_weights
from fer_edge.engine.model import read_facts
from fer_edge.engine.preprocess import square_crop
from fer_edge.engine.stages import open_stages
from fer_edge.engine.types import Image


class FaceCropper:
    """Cuts the largest face out of a BGR image, as the runtime cuts faces. A context manager."""

    def __init__(self) -> None:
        facts = read_facts(shipped_weights(EXPRESSION_FILE)).expression
        assert facts is not None, "the shipped expression model carries the facts of its kind"
        self._crop_scale = facts.crop_scale
        self._stages = open_stages(PipelineConfig(classify=False))

    def __call__(self, image: Image) -> Image | None:
        """The square around the largest face; None where no face is found."""
        boxes = self._stages.detector(image).boxes
        if not len(boxes):
            return None
        largest = boxes[np.argmax(boxes[:, 2] * boxes[:, 3])]
        return square_crop(image, largest, self._crop_scale)

    def __enter__(self) -> FaceCropper:
        return self

    def __exit__(self, *_: object) -> None:
        self._stages.close()
