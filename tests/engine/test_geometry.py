from __future__ import annotations

import cv2
import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from fer_edge.engine.geometry import iou_matrix, turned, xywh_from_normalised_corners

coordinates = st.floats(-50, 700, width=32)
sides = st.floats(0, 400, width=32)
boxes = st.lists(st.tuples(coordinates, coordinates, sides, sides), max_size=6).map(
    lambda rows: np.array(rows, np.float32).reshape(-1, 4)
)


@given(boxes, boxes)
def test_iou_is_symmetric_and_bounded(a: np.ndarray, b: np.ndarray) -> None:
    overlap = iou_matrix(a, b)
    assert overlap.shape == (len(a), len(b))
    assert overlap.dtype == np.float32
    assert (overlap >= 0).all()
    assert (overlap <= 1 + 1e-5).all()
    np.testing.assert_allclose(overlap, iou_matrix(b, a).T, rtol=1e-5)


@given(boxes.filter(len))
def test_a_box_overlaps_itself_wholly_if_it_has_area(a: np.ndarray) -> None:
    areas = a[:, 2:].astype(np.float64).prod(axis=1)
    own = np.diag(iou_matrix(a, a))
    np.testing.assert_allclose(own[a[:, 2:].min(axis=1) > 1], 1, rtol=1e-3)
    np.testing.assert_array_equal(own[areas == 0], 0)


def test_iou_of_known_boxes() -> None:
    a = np.array([[0, 0, 10, 10]], np.float32)
    b = np.array([[5, 0, 10, 10], [0, 0, 10, 5], [20, 20, 5, 5]], np.float32)
    np.testing.assert_allclose(iou_matrix(a, b), [[1 / 3, 1 / 2, 0]], rtol=1e-6)


@given(arrays(np.float32, (5, 4), elements=st.floats(-1, 2, width=32)))
def test_normalised_corners_become_boxes_inside_the_frame(corners: np.ndarray) -> None:
    x, y, w, h = xywh_from_normalised_corners(corners, 640, 480).T
    assert (w >= 0).all()
    assert (h >= 0).all()
    inside = (w > 0) & (h > 0)
    assert (x[inside] >= 0).all()
    assert (x[inside] + w[inside] <= 640.001).all()
    assert (y[inside] + h[inside] <= 480.001).all()


def test_corner_order_is_y_first() -> None:
    box = xywh_from_normalised_corners(np.array([[0.25, 0.5, 0.75, 1.0]], np.float32), 200, 100)
    np.testing.assert_allclose(box, [[100, 25, 100, 50]])


@given(boxes, st.floats(-180, 180))
def test_a_turned_box_holds_the_turned_ellipse(some: np.ndarray, degrees: float) -> None:
    turn = cv2.getRotationMatrix2D((320, 240), degrees, 1.0)
    around = np.linspace(0, 2 * np.pi, 720)
    circle = np.column_stack([np.cos(around), np.sin(around)])
    for box, made in zip(some.astype(float), turned(some, turn).astype(float), strict=True):
        ellipse = box[:2] + box[2:] * (circle + 1) / 2
        points = ellipse @ turn[:, :2].T + turn[:, 2]
        np.testing.assert_allclose(made[:2], points.min(axis=0), atol=0.1)
        np.testing.assert_allclose(made[:2] + made[2:], points.max(axis=0), atol=0.1)
