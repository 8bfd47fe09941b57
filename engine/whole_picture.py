"""The whole picture as the face: for data sets whose pictures are faces already."""

from __future__ import annotations

import numpy as np

from .model import FaceFrame
from .types import Detections, Image

FACE_FRAME = FaceFrame(1.0, 1.0)


def whole_picture(image: Image) -> Detections:
    """One face, as large as a BGR uint8 picture `(h, w, 3)`, of score 1."""
    height, width = image.shape[:2]
    return Detections(np.array([[0, 0, width, height]], np.float32), np.ones(1, np.float32))
