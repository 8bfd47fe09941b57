"""Square gray patches of a frame, around faces of any position, size and tilt."""

from __future__ import annotations

from math import ceil, cos, floor, log2, sin

import cv2
import numpy as np

from ..types import Image
from .poses import Poses

# A patch may be cut again half a window farther on, where its face has moved to.
_REACH = 1.5
_WARP = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP


class GrayFrame:
    """A frame from which patches are cut: gray, and halved as often as large faces need.

    Only the surroundings of the faces are converted, unless these add up to more than the
    frame. A patch samples pixels that are 0.7 to 1.4 times as large as its own, so that
    neither detail is lost nor aliases appear.

    Args:
        image: BGR uint8 `(h, w, 3)`.
        poses: around which patches will be cut; each may have moved by half a window by then.
        side: of the patches.
    """

    def __init__(self, image: Image, poses: Poses, side: int) -> None:
        self._side = side
        height, width = image.shape[:2]
        regions = []
        for x, y, scale, _ in poses.tolist():
            reach = _REACH * side * scale / 2
            left, top = max(0, floor(x - reach)), max(0, floor(y - reach))
            right, bottom = min(width, ceil(x + reach)), min(height, ceil(y + reach))
            regions.append((left, top, right, bottom))
        area = sum((right - left) * (bottom - top) for left, top, right, bottom in regions)
        levels = [max(0, round(log2(scale))) for scale in poses[:, 2].tolist()]
        self._surroundings: list[tuple[Image, int, int, int]] = []
        if area > width * height:
            pyramid = [cv2.cvtColor(image, cv2.COLOR_BGR2GRAY)]
            for _ in range(max(levels)):
                pyramid.append(_halved(pyramid[-1]))
            self._surroundings = [(pyramid[level], 0, 0, level) for level in levels]
            return
        for (left, top, right, bottom), level in zip(regions, levels, strict=True):
            part = image[top:bottom, left:right]
            gray = cv2.cvtColor(part, cv2.COLOR_BGR2GRAY) if part.size else _NOTHING
            for _ in range(level):
                gray = _halved(gray)
            self._surroundings.append((gray, left, top, level))

    def cut(self, poses: Poses, out: Image) -> None:
        """Cut a patch at each pose; pixels outside the frame repeat its border.

        Args:
            poses: as many and in the order of those the frame was made for.
            out: uint8 `(n, side, side)`, C-contiguous, to be filled.
        """
        middle = (out.shape[1] - 1) / 2
        size = out.shape[1:]
        rows = zip(poses.tolist(), self._surroundings, out, strict=True)
        for (x, y, scale, angle), (gray, left, top, level), patch in rows:
            # Pixel i covers i to i + 1, in every halved picture too.
            shrink = 0.5**level
            c, s = shrink * scale * cos(angle), shrink * scale * sin(angle)
            across = (x - left) * shrink - 0.5 - middle * (c - s)
            down = (y - top) * shrink - 0.5 - middle * (s + c)
            cv2.warpAffine(
                gray, np.array([[c, -s, across], [s, c, down]]), size, patch, _WARP,
                cv2.BORDER_REPLICATE,
            )  # fmt: skip


_NOTHING: Image = np.zeros((1, 1), np.uint8)


def _halved(gray: Image) -> Image:
    height, width = gray.shape
    if min(height, width) < 2:
        return gray
    # An odd last row or column is left out: a shrink by exactly two is quick and exact.
    even = gray[: height & ~1, : width & ~1]
    return cv2.resize(even, (width // 2, height // 2), interpolation=cv2.INTER_AREA)  # type: ignore[return-value]
