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
    # In float32, x + w of a narrow box far from the origin would be off by the box itself.
    first, second = a[:, None].astype(np.float64), b[None].astype(np.float64)
    top_left = np.maximum(first[..., :2], second[..., :2])
    bottom_right = np.minimum(first[..., :2] + first[..., 2:], second[..., :2] + second[..., 2:])
    overlap = np.clip(bottom_right - top_left, 0.0, None).prod(axis=2)
    union = first[..., 2:].prod(axis=2) + second[..., 2:].prod(axis=2) - overlap
    ratio = np.divide(overlap, union, out=np.zeros(overlap.shape), where=union > 0)
    return ratio.astype(np.float32)
