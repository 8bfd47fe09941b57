"""Box arithmetic. Boxes are float32 `(x, y, w, h)` in pixels unless a name says otherwise."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from .types import Boxes, Floats

# `(2, 3)`, from `(x, y)` before to `(x, y)` after, as OpenCV's affine functions take it.
Transform = npt.NDArray[np.number[Any]]


def xywh_from_corners(corners: Floats, across: float, down: float) -> Boxes:
    """Turn `(n, 4)` (ymin, xmin, ymax, xmax) into boxes.

    Args:
        corners: in parts of the network's input, 0-1, or beyond it.
        across, down: pixels of the frame that the input's width and height stand for.

    Returns:
        float32 `(n, 4)`, never of negative size; they may stick out of the frame.
    """
    y0, x0, y1, x1 = np.asarray(corners, np.float64).T
    boxes = np.stack([x0 * across, y0 * down, (x1 - x0) * across, (y1 - y0) * down], axis=1)
    boxes[:, 2:] = np.maximum(boxes[:, 2:], 0.0)
    return boxes.astype(np.float32)


def clipped(boxes: Boxes, width: int, height: int) -> Boxes:
    """The parts of boxes `(n, 4)` that are in a frame; without area where nothing is."""
    ends = np.array([width, height], np.float64)
    first = np.clip(boxes[:, :2].astype(np.float64), 0, ends)
    last = np.clip(boxes[:, :2].astype(np.float64) + boxes[:, 2:], 0, ends)
    return np.concatenate([first, last - first], axis=1).astype(np.float32)


def xywh_from_normalised_corners(corners: Floats, width: int, height: int) -> Boxes:
    """Turn `(n, 4)` (ymin, xmin, ymax, xmax) in 0-1 into boxes clipped to the frame."""
    return clipped(xywh_from_corners(corners, width, height), width, height)


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


def turned(boxes: Boxes, turn: Transform) -> Boxes:
    """Boxes `(n, 4)` around faces after a turn of their frame.

    A face is taken for the ellipse in its box: its new box is that around the turned ellipse.

    Args:
        boxes: before the turn.
        turn: of a turn and a shift.
    """
    middles = (boxes[:, :2] + boxes[:, 2:] / 2) @ turn[:, :2].T + turn[:, 2]
    # (c, s) for the width, (s, c) for the height.
    sides = np.sqrt(boxes[:, 2:].astype(np.float64) ** 2 @ (turn[:, :2] ** 2).T)
    return np.concatenate([middles - sides / 2, sides], axis=1).astype(np.float32)
