"""Box arithmetic. Boxes are float32 `(x, y, w, h)` in pixels unless a name says otherwise."""

from __future__ import annotations

import numpy as np

from .types import Boxes, Floats


def xywh_from_normalised_corners(corners: Floats, width: int, height: int) -> Boxes:
    """Turn `(n, 4)` (ymin, xmin, ymax, xmax) in 0-1 into boxes clipped to the frame.

    Clipping happens before suppression, as in TensorFlow's object detection API.
    """
    y0, x0, y1, x1 = np.clip(corners, 0.0, 1.0).T
    boxes = np.stack([x0 * width, y0 * height, (x1 - x0) * width, (y1 - y0) * height], axis=1)
    return np.maximum(boxes, 0.0).astype(np.float32)


def iou_matrix(a: Boxes, b: Boxes) -> Floats:
    """Intersection over union of every box of `a` `(n, 4)` with every one of `b` `(m, 4)`.

    Returns float32 `(n, m)`, 0-1; a box without area overlaps nothing.
    """
    top_left = np.maximum(a[:, None, :2], b[None, :, :2])
    bottom_right = np.minimum(a[:, None, :2] + a[:, None, 2:], b[None, :, :2] + b[None, :, 2:])
    overlap = np.clip(bottom_right - top_left, 0.0, None).prod(axis=2)
    union = a[:, 2:].prod(axis=1)[:, None] + b[:, 2:].prod(axis=1)[None] - overlap
    return np.divide(
        overlap, union, out=np.zeros(overlap.shape, np.float32), where=union > 0
    ).astype(np.float32)
