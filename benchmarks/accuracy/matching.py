"""Which detections of a picture are faces: greedy matching with the labels.

As COCO does it (T.-Y. Lin et al., "Microsoft COCO", ECCV 2014, and its evaluation code): the
best detection chooses first, each face is found once, and what is ignored counts neither for
nor against a detector.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from fer_edge.engine.geometry import iou_matrix
from fer_edge.engine.types import Boxes, Detections, Floats

Flags = npt.NDArray[np.bool_]
LEAST_IOU = 0.5


@dataclass(frozen=True)
class Truths:
    """The labelled faces of one picture.

    Attributes:
        boxes: float32 `(n, 4)`, `(x, y, w, h)` in pixels.
        ignored: bool `(n,)`; a detection of such a face counts neither as right nor as wrong.
        crowd: bool `(n,)`; a region of many faces: any number of detections that lie in it by
            half are ignored. Every crowd is ignored too.
    """

    boxes: Boxes
    ignored: Flags
    crowd: Flags

    def __len__(self) -> int:
        return len(self.boxes)


@dataclass(frozen=True)
class Size:
    """A range of sizes. What counts is the shorter side of a box (COCO takes its area).

    Attributes:
        name: for people.
        least, largest: side in pixels, the largest exclusive.
    """

    name: str
    least: float = 0.0
    largest: float = float("inf")

    def holds(self, boxes: Boxes) -> Flags:
        """Say of each box `(n, 4)` whether its side is in the range."""
        sides = boxes[:, 2:].min(axis=1, initial=np.inf)
        return (sides >= self.least) & (sides < self.largest)


SIZES = (
    Size("all"),
    Size("< 32 px", 0, 32),
    Size(">= 32 px", 32),
    Size("32 to 96 px", 32, 96),
    Size(">= 96 px", 96),
)


@dataclass(frozen=True)
class Matches:
    """What the detections of one picture, or of many, turned out to be.

    Attributes:
        scores: float64 `(n,)`, of the detections that count.
        right: bool `(n,)`, whether it is a face found for the first time.
        faces: labelled faces to be found.
    """

    scores: npt.NDArray[np.float64]
    right: Flags
    faces: int


def match(
    detections: Detections, truths: Truths, size: Size = SIZES[0], least_iou: float = LEAST_IOU
) -> Matches:
    """Match the detections of one picture with its faces.

    A face outside the range of sizes is ignored, not missed; a detection outside of it that
    matches no face is left out, not wrong.

    Args:
        detections: of the picture, in any order.
        truths: its faces.
        size: the range of sizes that counts.
        least_iou: of a detection and its face.
    """
    order = np.argsort(-detections.scores, kind="stable")
    boxes, scores = detections.boxes[order], detections.scores[order]
    overlaps = _overlaps(boxes, truths)
    ignored = truths.ignored | truths.crowd | ~size.holds(truths.boxes)
    free = np.ones(len(truths), bool)
    right, counts = np.zeros(len(boxes), bool), size.holds(boxes)
    for row, overlap in enumerate(overlaps):
        fits = free & (overlap >= least_iou)
        wanted = fits & ~ignored
        found = wanted if wanted.any() else fits
        if not found.any():
            continue
        chosen = int(np.argmax(np.where(found, overlap, -1)))
        free[chosen] = truths.crowd[chosen]
        right[row] = counts[row] = not ignored[chosen]
    return Matches(scores[counts].astype(np.float64), right[counts], int((~ignored).sum()))


def _overlaps(boxes: Boxes, truths: Truths) -> Floats:
    """IoU of detections and faces `(n, m)`; with a crowd, the share of the detection in it."""
    overlaps = iou_matrix(boxes, truths.boxes)
    for column in np.flatnonzero(truths.crowd):
        x, y, w, h = truths.boxes[column].astype(np.float64)
        left, top = np.maximum(boxes[:, 0], x), np.maximum(boxes[:, 1], y)
        right = np.minimum(boxes[:, 0] + boxes[:, 2], x + w)
        bottom = np.minimum(boxes[:, 1] + boxes[:, 3], y + h)
        inside = np.clip(right - left, 0, None) * np.clip(bottom - top, 0, None)
        areas = boxes[:, 2].astype(np.float64) * boxes[:, 3]
        overlaps[:, column] = np.divide(inside, areas, out=np.zeros(len(boxes)), where=areas > 0)
    return overlaps
