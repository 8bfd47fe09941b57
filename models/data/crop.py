"""Cutting the face out of a photograph with the project's own detector."""

from __future__ import annotations

import numpy as np

from fer_edge.engine.config import PipelineConfig
from fer_edge.engine.crops import face_crops
from fer_edge.engine.preprocess import square_crop
from fer_edge.engine.stages import open_stages
from fer_edge.engine.types import Detections, Image


class FaceCropper:
    """Cuts faces out of BGR images, as the runtime cuts them. A context manager.

    Args:
        detector: finds them, see `PipelineConfig`.
        crop_scale: of the expression model that looks at them, see `ExpressionFacts`.

    Raises:
        FerError: the detector is missing or unusable.
    """

    def __init__(self, detector: str = "default", crop_scale: float | None = None) -> None:
        self._crop_scale = crop_scale
        self._stages = open_stages(PipelineConfig(detector=detector, classify=False))

    def __call__(self, image: Image) -> Image | None:
        """The square around the largest face; None where no face is found."""
        found = self.find(image)
        if not len(found):
            return None
        largest = found.boxes[:, 2:].prod(axis=1).argmax()
        return self.cut(image, found.take(np.array([largest])))

    def find(self, image: Image) -> Detections:
        """The faces that the detector finds."""
        return self._stages.detector(image)

    def cut(self, image: Image, face: Detections) -> Image:
        """The square that an expression model sees of a single face."""
        frame = self._stages.face_frame
        (crop,) = face_crops(face.boxes, self._crop_scale, frame, face.landmarks)
        return square_crop(image, crop)

    def __enter__(self) -> FaceCropper:
        return self

    def __exit__(self, *_: object) -> None:
        self._stages.close()
