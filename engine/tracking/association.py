"""Which detection is which track: optimal assignment on overlap."""

from __future__ import annotations

import lap
import numpy as np

from ..geometry import iou_matrix
from ..types import Boxes

MIN_IOU = 0.3


def associate(tracks: Boxes, detections: Boxes, min_iou: float = MIN_IOU) -> dict[int, int]:
    """Match detections to tracks so that the sum of overlaps is largest.

    Args:
        tracks: float32 `(n, 4)`, `(x, y, w, h)`.
        detections: float32 `(m, 4)`.
        min_iou: pairs that overlap less stay apart.

    Returns:
        Index of a detection to index of its track; what has no partner is missing.
    """
    if not len(tracks) or not len(detections):
        return {}
    overlap = iou_matrix(tracks, detections)
    # Pairs below the bound must not pull on the assignment of the others.
    cost = 1.0 - np.where(overlap >= min_iou, overlap, 0).astype(np.float64)
    _, chosen, _ = lap.lapjv(cost, extend_cost=True)
    return {
        int(detection): track
        for track, detection in enumerate(chosen)
        if detection >= 0 and overlap[track, detection] >= min_iou
    }
