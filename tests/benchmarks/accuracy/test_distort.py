"""Distorted pictures: the faces are where they are said to be."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from fer_edge.benchmarks.accuracy.distort import (
    CLOSE_SHARES,
    DISTORTIONS,
    blur,
    close_up,
    found,
    gamma,
    plain,
    tilt,
)
from fer_edge.engine.types import Boxes, Detections, Image


def marked(width: int = 400, height: int = 300) -> tuple[Image, Boxes]:
    """A white ellipse on black, and its box."""
    box = np.array([[150, 60, 80, 110]], np.float32)
    image = np.zeros((height, width, 3), np.uint8)
    cv2.ellipse(image, (190, 115), (40, 55), 0, 0, 360, (255, 255, 255), -1)
    return image, box


def box_of(image: Image) -> tuple[float, ...]:
    return cv2.boundingRect((image[..., 0] > 127).astype(np.uint8))


@pytest.mark.parametrize("make", [plain, tilt, blur, close_up], ids=lambda f: f.__name__)
def test_boxes_follow_the_picture(make: object) -> None:
    made = list(make(*marked()))  # type: ignore[operator]
    assert made
    for one in made:
        assert one.image.dtype == np.uint8
        assert one.boxes.dtype == np.float32
        height, width = one.image.shape[:2]
        x, y, w, h = one.boxes[0]
        seen = max(x, 0), max(y, 0), min(x + w, width), min(y + h, height)
        left, top, across, down = box_of(one.image)
        # The widest part of an ellipse is thin, and a threshold cuts it off.
        assert (left, top, left + across, top + down) == pytest.approx(seen, abs=4)


def test_the_turned_picture_loses_nothing() -> None:
    image, boxes = marked()
    for one in tilt(image, boxes):
        assert (one.image > 127).sum() == pytest.approx((image > 127).sum(), rel=0.01)
    upright = np.array([[10, 10, 90, 90]], np.float32)
    (box, _) = (one.boxes[0] for one in tilt(image, upright))
    assert box[2:].tolist() == pytest.approx([90, 90], abs=1e-3)


def test_close_ups_reach_the_heights_they_should() -> None:
    made = list(close_up(*marked()))
    heights = [one.boxes[0, 3] / 480 for one in made]
    assert heights == pytest.approx([min(share, 1) for share in CLOSE_SHARES], abs=1e-3)
    assert {one.image.shape for one in made} == {(480, 640, 3)}


def test_gamma_is_dark_then_bright() -> None:
    image = np.full((2, 2, 3), 128, np.uint8)
    dark, bright = (one.image[0, 0, 0] for one in gamma(image, np.empty((0, 4), np.float32)))
    assert (dark, bright) == (round(255 * (128 / 255) ** 3), round(255 * (128 / 255) ** (1 / 3)))


def test_a_face_is_found_by_a_detection_that_overlaps_it() -> None:
    boxes = np.array([[0, 0, 10, 10], [50, 50, 10, 10]], np.float32)
    shown = Detections(np.array([[0, 0, 10, 4], [50, 50, 10, 3.9]], np.float32), np.ones(2))
    assert found(shown, boxes) == 1
    assert found(Detections(np.empty((0, 4), np.float32), np.empty(0, np.float32)), boxes) == 0


def test_the_names_are_those_of_the_help() -> None:
    assert list(DISTORTIONS) == ["plain", "tilt45", "blur3", "gamma3", "closeup"]
