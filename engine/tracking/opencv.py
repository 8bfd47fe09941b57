"""OpenCV's KCF, one tracker object a face (Henriques et al., TPAMI 2015)."""

from __future__ import annotations

from collections.abc import Mapping
from math import ceil, floor
from typing import Any

import cv2

from ..types import Image
from .base import Box, Follower

# KCF needs a few pixels to correlate.
LEAST_SIDE = 4


class OpenCVKCF(Follower):
    """Follows position, not size. A box that leaves the frame is lost."""

    def __init__(self) -> None:
        self._trackers: dict[int, tuple[Any, Box]] = {}

    def start(self, image: Image, boxes: Mapping[int, Box]) -> None:
        """Follow new boxes; see `Follower.start`."""
        self._trackers = {}
        for key, box in boxes.items():
            roi = _whole_pixels_inside(box, image.shape[1], image.shape[0])
            if min(roi[2:]) < LEAST_SIDE:
                continue
            tracker = cv2.TrackerKCF.create()
            tracker.init(image, roi)
            # The rounding to whole pixels is undone in every answer.
            margin = (box[0] - roi[0], box[1] - roi[1], box[2], box[3])
            self._trackers[key] = (tracker, margin)

    def update(self, image: Image) -> dict[int, Box]:
        """Find the boxes in the next frame; see `Follower.update`."""
        found: dict[int, Box] = {}
        for key, (tracker, (dx, dy, w, h)) in list(self._trackers.items()):
            ok, roi = tracker.update(image)
            if ok:
                found[key] = (roi[0] + dx, roi[1] + dy, w, h)
            else:
                del self._trackers[key]
        return found


def _whole_pixels_inside(box: Box, width: int, height: int) -> tuple[int, int, int, int]:
    x, y, w, h = box
    left, top = max(0, floor(x)), max(0, floor(y))
    right, bottom = min(width, ceil(x + w)), min(height, ceil(y + h))
    return left, top, max(0, right - left), max(0, bottom - top)
