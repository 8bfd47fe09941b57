from __future__ import annotations

import cv2
import numpy as np
import pytest

from fer_edge.engine.config import HAAR
from fer_edge.engine.errors import BackendUnavailable
from fer_edge.engine.geometry import iou_matrix
from fer_edge.engine.haar import HaarDetector
from fer_edge.engine.pipeline import Pipeline
from fer_edge.engine.sources.demo import demo_face_box


def test_the_demo_face_is_found_where_it_is_and_followed() -> None:
    overlaps, origins = [], []
    with Pipeline.open("demo", detector=HAAR, classify=False) as pipeline:
        assert pipeline.labels == ()
        for result in pipeline:
            truth = np.array([demo_face_box(result.frame.index)], np.float32)
            boxes = np.array([face.track.box for face in result.faces], np.float32).reshape(-1, 4)
            overlaps.append(iou_matrix(boxes, truth).max(initial=0))
            origins += [face.track.origin for face in result.faces[:1]]
            if result.frame.index == 29:
                pipeline.stop()
    # The cascade's boxes are square and end above the chin.
    assert np.median(overlaps) > 0.5
    assert origins.count("detected") >= 3
    assert origins.count("tracked") > origins.count("detected")


def test_a_picture_without_a_face_has_none() -> None:
    found = HaarDetector()(np.full((240, 320, 3), 127, np.uint8))
    assert len(found) == 0
    assert found.boxes.shape == (0, 4)


def test_an_opencv_without_cascades_is_one_clear_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(cv2, "CascadeClassifier")
    with pytest.raises(BackendUnavailable, match="no Haar cascade: pip install"):
        HaarDetector()
