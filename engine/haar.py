"""Faces by OpenCV's Haar cascade (Viola and Jones, CVPR 2001): the mode without a network."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np

from .errors import BackendUnavailable
from .model import FaceFrame
from .tracing import span
from .types import Detections, Image

CASCADE = "haarcascade_frontalface_default.xml"
# From one size of the search window to the next, and hits that make a face.
SCALE_STEP = 1.2
NEIGHBOURS = 5
# Least face over the shorter side of the frame; the cascade's own least is 24 pixels.
LEAST_SHARE = 0.08
LEAST_SIDE = 24
# As models/detectors/face_frame.py measures it: FER2013 was cut out by such a cascade too.
FACE_FRAME = FaceFrame(1.01, 1.01)


class HaarDetector:
    """Finds upright frontal faces. A cascade knows no probability: every score is 1.

    Raises:
        BackendUnavailable: this OpenCV has no cascades, as 5.x has not.
    """

    def __init__(self) -> None:
        path = Path(getattr(getattr(cv2, "data", None), "haarcascades", "")) / CASCADE
        if not hasattr(cv2, "CascadeClassifier") or not path.is_file():
            raise BackendUnavailable(
                f"OpenCV {cv2.__version__} has no Haar cascade: "
                "pip install 'opencv-contrib-python-headless<5'"
            )
        self._cascade = cv2.CascadeClassifier(str(path))

    def __call__(self, image: Image) -> Detections:
        """Find the faces of a BGR uint8 frame `(h, w, 3)`, the largest first."""
        with span("preprocess"):
            gray = cv2.equalizeHist(cv2.cvtColor(image, cv2.COLOR_BGR2GRAY))
        with span("detect"):
            least = max(LEAST_SIDE, round(min(image.shape[:2]) * LEAST_SHARE))
            found = self._cascade.detectMultiScale(
                gray, SCALE_STEP, NEIGHBOURS, minSize=(least, least)
            )
        boxes = np.array(found, np.float32).reshape(-1, 4)
        boxes = boxes[np.argsort(-boxes[:, 2], kind="stable")]
        return Detections(boxes, np.ones(len(boxes), np.float32))
