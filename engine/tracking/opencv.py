"""OpenCV's KCF, one tracker object a face (Henriques et al., TPAMI 2015)."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from math import ceil, floor
from typing import Any, cast

import cv2

from ..errors import BackendUnavailable
from ..types import Image
from .base import Box, Followed, Follower

# KCF needs a few pixels to correlate.
LEAST_SIDE = 4
# Its time grows with the pixels of the face and its accuracy does not: larger faces are
# followed in a smaller picture, where their longer side has this many pixels.
TEMPLATE_SIDE = 40


class _OneFace:
    """One face, followed in a picture scaled for it."""

    def __init__(self, image: Image, box: Box) -> None:
        self._scale = min(1.0, TEMPLATE_SIDE / max(box[2], box[3], 1.0))
        small = self._scaled(image)
        x, y, w, h = (value * self._scale for value in box)
        left, top = max(0, floor(x)), max(0, floor(y))
        right, bottom = min(small.shape[1], ceil(x + w)), min(small.shape[0], ceil(y + h))
        roi = (left, top, max(0, right - left), max(0, bottom - top))
        self._tracker: Any = None
        if min(roi[2:]) >= LEAST_SIDE:
            self._tracker = cv2.TrackerKCF.create()
            self._tracker.init(small, roi)
        # What rounding to whole pixels moved, to be undone in every answer.
        self._shift = (box[0] - left / self._scale, box[1] - top / self._scale)
        self._size = box[2:]

    def update(self, image: Image) -> Box | None:
        """The box in the next frame, or None when it is lost."""
        if self._tracker is None:
            return None
        found, roi = self._tracker.update(self._scaled(image))
        if not found:
            return None
        x, y = roi[0] / self._scale + self._shift[0], roi[1] / self._scale + self._shift[1]
        return x, y, *self._size

    def _scaled(self, image: Image) -> Image:
        if self._scale == 1:
            return image
        factor = self._scale
        small = cv2.resize(image, None, fx=factor, fy=factor, interpolation=cv2.INTER_AREA)
        return cast(Image, small)


class OpenCVKCF(Follower):
    """Follows position, not size. A box that leaves the frame is lost."""

    def __init__(self) -> None:
        if not hasattr(cv2, "TrackerKCF"):
            raise BackendUnavailable(
                "--tracker opencv: this OpenCV has no KCF; remove opencv-python and "
                "pip install 'opencv-contrib-python-headless<5', or take --tracker kcf"
            )
        self._faces: dict[int, _OneFace] = {}

    def start(self, image: Image, boxes: Mapping[int, Box]) -> None:
        """Follow these faces too; see `Follower.start`."""
        self._faces |= {key: _OneFace(image, box) for key, box in boxes.items()}

    def correct(self, boxes: Mapping[int, Box]) -> set[int]:
        """Ask for new starts: the size is part of the template; see `Follower.correct`."""
        return set(boxes)

    def stop(self, ids: Collection[int]) -> None:
        """Forget these faces; see `Follower.stop`."""
        self._faces = {key: face for key, face in self._faces.items() if key not in ids}

    def update(self, image: Image) -> dict[int, Followed]:
        """Find the faces in the next frame; see `Follower.update`."""
        found = {key: face.update(image) for key, face in self._faces.items()}
        self._faces = {key: self._faces[key] for key, box in found.items() if box is not None}
        # It tells found from lost and nothing in between.
        return {key: Followed(box, 1.0) for key, box in found.items() if box is not None}
