"""From a face's box to the square that an expression model sees."""

from __future__ import annotations

import numpy as np

from .model import FaceFrame
from .types import Boxes, Floats

# Side of the square over the longer side of the box, where nobody measured how the boxes lie.
DEFAULT_SCALE = 1.1
# Tilts up to this many degrees are as common among the faces that models learn from.
LEVEL_FROM = 5.0


def face_crops(
    boxes: Boxes, scale: float | None, frame: FaceFrame | None, landmarks: Floats | None = None
) -> Floats:
    """The squares to cut out of a picture.

    Args:
        boxes: float32 `(n, 4)`, `(x, y, w, h)`.
        scale: see `ExpressionFacts.crop_scale`.
        frame: see `DetectorFacts.face_frame`; not looked at where there is a scale.
        landmarks: float32 `(n, 5, 2)`, see `Detections`; not a number where they are not known.

    Returns:
        float32 `(n, 5)`, `(x, y, w, h, tilt)` with width and height alike; they may stick out of
        the picture. `tilt` is in degrees, clockwise as one sees the picture: cut out turned by
        it, the eyes are level within `LEVEL_FROM` degrees.
    """
    x, y, width, height = boxes.astype(np.float64).T
    if scale is None and frame is not None:
        # A profile is narrow and an open mouth makes the box tall: half of either error stays.
        side = np.sqrt(width / frame.width * height / frame.height)
        right, down = frame.right * side, frame.down * side
    else:
        side = np.maximum(width, height) * (DEFAULT_SCALE if scale is None else scale)
        right = down = np.zeros(len(boxes))
    left = x + width / 2 - right - side / 2
    top = y + height / 2 - down - side / 2
    tilt = np.zeros(len(boxes)) if landmarks is None else _tilts(landmarks)
    return np.stack((left, top, side, side, tilt), axis=1).astype(np.float32)


def _tilts(landmarks: Floats) -> Floats:
    """How far eyes are from level beyond `LEVEL_FROM`, in degrees; 0 where it is not known."""
    across, down = (landmarks[:, 1] - landmarks[:, 0]).T
    roll = np.nan_to_num(np.degrees(np.arctan2(down, across)))
    return np.sign(roll) * np.maximum(np.abs(roll) - LEVEL_FROM, 0)
