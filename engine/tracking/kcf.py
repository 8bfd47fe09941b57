"""Kernelised correlation filters for all faces at once, with size and tilt.

A face is found in three steps, each for all faces in a few calls: a correlation filter finds how
far it has moved (`correlation`), a first alignment with its template finds its size, its tilt and
its place to a fraction of a pixel, and a second one, where the first has led, finishes and judges
(`alignment`).
"""

from __future__ import annotations

from collections.abc import Collection, Mapping

import numpy as np
import numpy.typing as npt

from ..geometry import iou_matrix
from ..types import Floats, Image
from .alignment import Templates
from .base import Box, Followed, Follower
from .correlation import CorrelationFilters
from .patches import GrayFrame
from .poses import Poses, place, point, step

# Side of a patch in template pixels, and of its middle that holds the face.
SIDE, INNER = 64, 40
# Side of a patch over the mean side of a box: how far around the face is searched.
PADDING = 2.0
# A smaller face has too few pixels to tell it from another place.
LEAST_SIDE = 4.0
# Share of a new frame in the filter, and of a corrected one in the template.
FILTER_RATE = 0.02
TEMPLATE_RATE = 0.1
# A box that a detection moves by more no longer belongs to the template.
KEEP_IOU = 0.5
# Share of a box that must be in the frame.
LEAST_INSIDE = 0.4

PSR_LOST, LIKENESS_LOST = 4.2, 0.0
LIKENESS_KEPT = 0.7


class KCF(Follower):
    """Follows position, size and tilt; see the module's description."""

    def __init__(self) -> None:
        self._ids: list[int] = []
        self._poses: Poses = np.empty((0, 4))
        # Boxes in template pixels: centre relative to the template's, width and height.
        self._boxes: npt.NDArray[np.float64] = np.empty((0, 4))
        self._likeness: npt.NDArray[np.float64] = np.empty(0)
        self._filters = CorrelationFilters(SIDE)
        self._templates = Templates(INNER)
        self._patches: Image = np.empty((4, SIDE, SIDE), np.uint8)
        self._inner: Image = np.empty((4, INNER, INNER), np.uint8)
        self.debug = None

    def start(self, image: Image, boxes: Mapping[int, Box]) -> None:
        """Follow these faces too; see `Follower.start`."""
        self.stop(boxes)
        fit = {id_: box for id_, box in boxes.items() if _can_be_followed(box, image)}
        if not fit:
            return
        rows = np.array(list(fit.values()), np.float64)
        scale = rows[:, 2:].sum(axis=1) * PADDING / (2 * SIDE)
        middle = rows[:, :2] + rows[:, 2:] / 2
        poses = np.column_stack([middle, scale, np.zeros(len(rows))])
        sizes = rows[:, 2:] / scale[:, None]
        patches = np.empty((len(rows), SIDE, SIDE), np.uint8)
        GrayFrame(image, poses, SIDE).cut(poses, patches)
        self._filters.add(patches)
        self._templates.add(_middle(patches), sizes)
        self._ids += list(fit)
        self._poses = np.concatenate([self._poses, poses])
        self._boxes = np.concatenate([self._boxes, np.column_stack([0 * sizes, sizes])])
        self._likeness = np.concatenate([self._likeness, np.ones(len(rows))])
        self._reserve(len(self._ids))
        # In the frame that it starts from, a face is what the last update saw.
        self._patches[len(self._ids) - len(rows) : len(self._ids)] = patches

    def correct(self, boxes: Mapping[int, Box]) -> set[int]:
        """Take over better boxes; see `Follower.correct`.

        The template stays and its box moves, unless they would come apart.
        """
        apart = {id_ for id_ in boxes if id_ not in self._ids}
        rates = np.zeros(len(self._ids), np.float32)
        now = self._boxes_in_frame().astype(np.float32)
        for row, id_ in enumerate(self._ids):
            if id_ not in boxes:
                continue
            box = np.array([boxes[id_]])
            overlap = iou_matrix(now[row : row + 1], box.astype(np.float32))[0, 0]
            if overlap < KEEP_IOU or self._likeness[row] < LIKENESS_KEPT:
                apart.add(id_)
                continue
            pose = self._poses[row : row + 1]
            self._boxes[row, :2] = place(pose, box[:, :2] + box[:, 2:] / 2)[0]
            self._boxes[row, 2:] = box[0, 2:] / pose[0, 2]
            rates[row] = TEMPLATE_RATE
        if rates.any():
            self._templates.learn(_middle(self._patches[: len(rates)]), rates)
        return apart

    def stop(self, ids: Collection[int]) -> None:
        """Forget these faces; see `Follower.stop`."""
        self._keep(np.array([id_ not in ids for id_ in self._ids], bool))

    def update(self, image: Image) -> dict[int, Followed]:
        """Find the faces in the next frame; see `Follower.update`."""
        count = len(self._ids)
        if not count:
            return {}
        patches, inner = self._patches[:count], self._inner[:count]
        frame = GrayFrame(image, self._poses, SIDE)
        frame.cut(self._poses, patches)
        peaks = self._filters.find(patches)
        steps = np.zeros((count, 4))
        steps[:, :2] = peaks.shifts
        found = step(self._poses, steps)
        frame.cut(found, inner)
        first = self._templates.align(inner)
        aligned = step(found, first.steps)
        frame.cut(aligned, patches)
        second = self._templates.align(_middle(patches))
        better = (second.likeness >= first.likeness - 0.02) & (second.likeness >= LIKENESS_KEPT) & (second.covered > 0.3)
        self._poses = np.where(better[:, None], step(aligned, second.steps), found)
        self._likeness = likeness = np.where(better, second.likeness, first.likeness)
        self.debug = (peaks.ratios, likeness, second.covered)
        sure = better
        if sure.any():
            self._filters.learn(patches, np.where(sure, FILTER_RATE, 0).astype(np.float32))
        boxes = self._boxes_in_frame()
        lost = (likeness < LIKENESS_LOST) | (peaks.ratios < PSR_LOST)
        lost |= _inside(boxes, image) < LEAST_INSIDE
        answer = {
            id_: Followed((x, y, w, h), min(max(sure, 0.0), 1.0))
            for id_, (x, y, w, h), sure, gone in zip(
                self._ids, boxes.tolist(), likeness.tolist(), lost.tolist(), strict=True
            )
            if not gone
        }
        self._keep(~lost)
        return answer

    def _boxes_in_frame(self) -> npt.NDArray[np.float64]:
        middle = point(self._poses, self._boxes[:, :2])
        size = self._boxes[:, 2:] * self._poses[:, 2:3]
        return np.column_stack([middle - size / 2, size])

    def _keep(self, kept: npt.NDArray[np.bool_]) -> None:
        if kept.all():
            return
        rows = np.flatnonzero(kept)
        self._ids = [self._ids[row] for row in rows]
        self._poses, self._boxes = self._poses[rows], self._boxes[rows]
        self._likeness = self._likeness[rows]
        self._patches[: len(rows)] = self._patches[rows]
        self._filters.keep(rows)
        self._templates.keep(rows)

    def _reserve(self, count: int) -> None:
        if count > len(self._patches):
            more = 2 * count - len(self._patches)
            self._patches = np.concatenate([self._patches, np.empty((more, SIDE, SIDE), np.uint8)])
            self._inner = np.empty((2 * count, INNER, INNER), np.uint8)


def _middle(patches: Image) -> Image:
    edge = (SIDE - INNER) // 2
    return patches[:, edge:-edge, edge:-edge]


def _inside(boxes: npt.NDArray[np.float64], image: Image) -> npt.NDArray[np.float64]:
    """Share of each box that is in the frame."""
    height, width = image.shape[:2]
    right = np.minimum(boxes[:, 0] + boxes[:, 2], width)
    bottom = np.minimum(boxes[:, 1] + boxes[:, 3], height)
    w = np.maximum(right - np.maximum(boxes[:, 0], 0), 0)
    h = np.maximum(bottom - np.maximum(boxes[:, 1], 0), 0)
    return w * h / (boxes[:, 2] * boxes[:, 3])


def _can_be_followed(box: Box, image: Image) -> bool:
    return min(box[2:]) >= LEAST_SIDE and bool(
        _inside(np.array([box], np.float64), image)[0] >= LEAST_INSIDE
    )
