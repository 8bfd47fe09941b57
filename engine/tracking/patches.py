"""Square gray patches of a frame, around faces of any position, size and tilt."""

from __future__ import annotations

from collections.abc import Sequence
from math import cos, floor, log2, sin
from typing import NamedTuple

import cv2
import numpy as np

from ..gray import GrayMemory, gray_of, shrunk
from ..types import Image
from .poses import Pose

# What a patch is cut from, over its side: its face may be a little farther on than expected.
_REACH = 1.15
# What a call of OpenCV costs, in pixels that it could have converted.
_CALL = 20_000
_WARP = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP


class _Region(NamedTuple):
    """Part of a frame, in its pixels, made of squares of `2**level` by `2**level`."""

    left: int
    top: int
    right: int
    bottom: int
    level: int

    @property
    def area(self) -> int:
        return max(0, self.right - self.left) * max(0, self.bottom - self.top)

    def holds(self, other: _Region) -> bool:
        return (
            self.left <= other.left
            and self.top <= other.top
            and self.right >= other.right
            and self.bottom >= other.bottom
        )


class _Surroundings(NamedTuple):
    """A region, gray and shrunk to squares."""

    region: _Region
    gray: Image


class GrayFrame:
    """A frame from which patches are cut: gray, and shrunk as much as large faces allow.

    Only the surroundings of the faces are converted, unless the whole frame takes less time. A
    patch samples pixels that are 0.7 to 1.4 times as large as its own, so that neither detail
    is lost nor aliases appear; of the frame's rows four are looked at for each row of them.

    Args:
        image: BGR uint8 `(h, w, 3)`.
        poses: around which patches will be cut.
        side: of the patches in pixels.
        memory: to work in; the frame before this one is no longer there.
    """

    def __init__(self, image: Image, poses: Sequence[Pose], side: int, memory: GrayMemory) -> None:
        self._image, self._memory = image, memory
        regions = [self._region(pose, side * _REACH, level_of(pose)) for pose in poses]
        height, width = image.shape[:2]
        # Halves of halves add up to a third.
        memory.restart(2 * min(sum(region.area for region in regions), height * width))
        levels = {region.level for region in regions}
        if sum(map(_cost, regions)) > sum(_cost(self._whole(level)) for level in levels):
            self._surroundings = self._of_whole_frame([region.level for region in regions])
        else:
            self._surroundings = [self._of(region) for region in regions]

    def cut(self, poses: Sequence[Pose], out: Image) -> None:
        """Cut a patch at each pose; pixels outside the frame repeat its border.

        Args:
            poses: as many and in the order of those the frame was made for.
            out: uint8 `(n, side, side)`, C-contiguous, to be filled.
        """
        middle = (out.shape[1] - 1) / 2
        size = out.shape[1:]
        for row, (pose, patch) in enumerate(zip(poses, out, strict=True)):
            region, gray = self._around(row, pose, out.shape[1])
            x, y, scale, angle = pose
            shrink = 0.5**region.level
            c, s = shrink * scale * cos(angle), shrink * scale * sin(angle)
            # Pixel i covers i to i + 1, in every shrunk picture too.
            across = (x - region.left) * shrink - 0.5 - middle * (c - s)
            down = (y - region.top) * shrink - 0.5 - middle * (s + c)
            matrix = np.array(((c, -s, across), (s, c, down)))
            cv2.warpAffine(gray, matrix, size, patch, _WARP, cv2.BORDER_REPLICATE)

    def _around(self, row: int, pose: Pose, side: int) -> _Surroundings:
        """What to cut a patch from: another part of the frame where its face went far."""
        known = self._surroundings[row]
        needed = self._region(pose, side, known.region.level)
        if needed.area and not known.region.holds(needed):
            self._surroundings[row] = known = self._of(needed)
        return known

    def _region(self, pose: Pose, side: float, level: int) -> _Region:
        """All squares that a patch of `side` pixels sees."""
        x, y, scale, angle = pose
        square = 1 << level
        reach = side * scale / 2 * (abs(cos(angle)) + abs(sin(angle))) + square
        height, width = self._image.shape[:2]
        return _Region(
            max(0, floor(x - reach) & -square),
            max(0, floor(y - reach) & -square),
            min(width, -(floor(-x - reach) & -square)),
            min(height, -(floor(-y - reach) & -square)),
            level,
        )

    def _of(self, region: _Region) -> _Surroundings:
        if not region.area:
            # No part of the face is in the frame: there is nothing to see.
            return _Surroundings(_Region(0, 0, 0, 0, region.level), np.zeros((1, 1), np.uint8))
        left, top, right, bottom, level = region
        skips = skips_of(level)
        gray = gray_of(self._image[top:bottom, left:right], skips, self._memory)
        return _Surroundings(region, shrunk(gray, level, skips, self._memory))

    def _of_whole_frame(self, levels: Sequence[int]) -> list[_Surroundings]:
        memory = self._memory
        grays = {skips: gray_of(self._image, skips, memory) for skips in set(map(skips_of, levels))}
        known = {
            level: shrunk(grays[skips_of(level)], level, skips_of(level), memory)
            for level in set(levels)
        }
        return [_Surroundings(self._whole(level), known[level]) for level in levels]

    def _whole(self, level: int) -> _Region:
        height, width = self._image.shape[:2]
        return _Region(0, 0, width, height, level)


def level_of(pose: Pose) -> int:
    """How often the frame is halved before a patch is cut from it."""
    return max(0, round(log2(pose.scale)))


def skips_of(level: int) -> int:
    """Every `2**skips`-th row of a frame is looked at that is halved `level` times.

    Four rows for each row of squares are enough; two cost accuracy where faces grow.
    """
    return max(0, level - 2)


def _cost(region: _Region) -> int:
    """Of converting and shrinking a region, in pixels."""
    return (region.area >> skips_of(region.level)) + _CALL * (1 + region.level)
