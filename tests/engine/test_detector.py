from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fer_edge.engine.backends import FakeBackend
from fer_edge.engine.detector import ANY_ASPECT, Detector, suppress
from fer_edge.engine.errors import BadInput
from fer_edge.engine.geometry import iou_matrix
from fer_edge.engine.input_size import FaceSize, InputSizes
from fer_edge.engine.model import DetectorFacts, InputFacts
from fer_edge.engine.types import Detections

from .scripted import detector_facts, fake_detector, fake_expression

FACTS = DetectorFacts("boxes", "scores", 0, 0.0, 0.6, 100)
PICTURE = np.zeros((100, 200, 3), np.uint8)

candidates = st.lists(
    st.tuples(
        st.integers(0, 60), st.integers(0, 60), st.integers(0, 40), st.integers(0, 40),
        st.integers(1, 999),
    ),
    max_size=20,
)  # fmt: skip


@given(candidates)
def test_suppression_keeps_the_best_and_nothing_that_overlaps_it(rows: list[tuple[int, ...]]):
    table = np.array(rows, np.float32).reshape(-1, 5)
    boxes, scores = table[:, :4], table[:, 4] / 1000
    kept = suppress(Detections(boxes, scores), FACTS, 100, 100)
    assert (np.diff(kept.scores) <= 0).all()
    overlap = iou_matrix(kept.boxes, kept.boxes)
    assert (overlap[~np.eye(len(kept), dtype=bool)] <= FACTS.iou_threshold + 1e-5).all()
    # What is gone was empty or overlaps something better that stayed.
    for box, score in zip(boxes, scores, strict=True):
        if box[2:].min() > 0 and not (kept.boxes == box).all(axis=1).any():
            better = kept.boxes[kept.scores >= score]
            assert iou_matrix(box[None], better).max() >= FACTS.iou_threshold - 1e-5


def test_boxes_are_pixels_of_the_frame_and_clipped_to_it() -> None:
    detector = Detector(
        fake_detector(lambda _: [((0.1, 0.2, 0.7, 0.4), 0.9), ((-1, -1, 0, 0.5), 0.8)])
    )
    found = detector(PICTURE)
    np.testing.assert_allclose(found.boxes, [[40, 10, 40, 60]], atol=1e-4)
    assert found.scores.tolist() == pytest.approx([0.9])


def test_the_higher_of_both_thresholds_counts() -> None:
    faces = [((0.0, 0.0, 0.4, 0.2), 0.4), ((0.5, 0.5, 0.9, 0.7), 0.7)]
    backend = fake_detector(lambda _: faces)
    assert len(Detector(backend)(PICTURE)) == 2
    assert len(Detector(backend, min_score=0.5)(PICTURE)) == 1
    assert backend.facts.detector is not None
    backend.facts = replace(
        backend.facts, detector=replace(backend.facts.detector, score_threshold=0.6)
    )
    assert len(Detector(backend, min_score=0.1)(PICTURE)) == 1


def test_boxes_that_no_face_has_are_left_out_before_suppression() -> None:
    wide, face = ((0.2, 0.0, 0.4, 1.0), 0.99), ((0.1, 0.2, 0.6, 0.4), 0.9)
    detector = fake_detector(lambda _: [wide, face])
    np.testing.assert_allclose(Detector(detector)(PICTURE).boxes, [[40, 10, 40, 50]], atol=1e-4)
    assert len(Detector(detector, aspect=ANY_ASPECT)(PICTURE)) == 2


def test_at_most_the_graphs_number_of_detections() -> None:
    many = suppress(
        Detections(
            np.array([[30 * i, 0, 20, 20] for i in range(10)], np.float32),
            np.linspace(0.9, 0.1, 10, dtype=np.float32),
        ),
        replace(FACTS, max_detections=3),
        300,
        20,
    )
    np.testing.assert_allclose(many.boxes[:, 0], [0, 30, 60])


def test_no_face_is_no_detection() -> None:
    found = Detector(fake_detector(lambda _: []))(PICTURE)
    assert len(found) == 0
    assert found.boxes.shape == (0, 4)


def test_an_expression_model_is_no_detector() -> None:
    with pytest.raises(BadInput, match="no detector"):
        Detector(fake_expression())


def letterboxed(faces: list[tuple[tuple[float, ...], float, list[float]]]) -> FakeBackend:
    """A detector with landmarks whose input may be of any size; see `fake_detector`."""

    def answer(call: int, inputs: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
        boxes = np.array([[corners for corners, _, _ in faces]], np.float32)
        scores = np.array([[[score] for _, score, _ in faces]], np.float32)
        points = np.array([[points for _, _, points in faces]], np.float32)
        shapes.append(inputs["image"].shape)
        return {"boxes": boxes, "scores": scores, "points": points.reshape(1, -1, 5, 2)}

    shapes: list[tuple[int, ...]] = []
    see = InputFacts("image", 256, 320, "rgb", "letterbox", (0.0,) * 3, (1.0,) * 3, step=32)
    how = DetectorFacts("boxes", "scores", 0, 0.0, 0.3, 100, 0.6, "points", 12, 340)
    backend = FakeBackend(answer, detector_facts(input=see, detector=how))
    backend.shapes = shapes  # type: ignore[attr-defined]
    return backend


EYES_AND_MOUTH = [0.2, 0.1, 0.3, 0.1, 0.25, 0.2, 0.2, 0.3, 0.3, 0.3]


def test_boxes_and_landmarks_of_a_letterbox_are_pixels_of_the_frame() -> None:
    backend = letterboxed([((0.0, 0.1, 0.5, 0.4), 0.9, EYES_AND_MOUTH)])
    found = Detector(backend)(np.zeros((480, 640, 3), np.uint8))
    # 640x480 fills 320x240 of the input's 320x256.
    np.testing.assert_allclose(found.boxes, [[64, 0, 192, 256]], atol=1e-3)
    assert found.landmarks is not None
    expected = np.array(EYES_AND_MOUTH).reshape(1, 5, 2) * [640, 512]
    np.testing.assert_allclose(found.landmarks, expected, rtol=1e-6)


def test_landmarks_stay_with_their_boxes_through_suppression() -> None:
    def face(corner: float, score: float) -> tuple[tuple[float, ...], float, list[float]]:
        return (corner, corner, corner + 0.2, corner + 0.2), score, [corner] * 10

    backend = letterboxed([face(0.1, 0.5), face(0.11, 0.9), face(0.6, 0.7)])
    found = Detector(backend)(np.zeros((256, 320, 3), np.uint8))
    assert found.scores.tolist() == pytest.approx([0.9, 0.7])
    assert found.landmarks is not None
    np.testing.assert_allclose(found.landmarks[:, 0, 0] / 320, [0.11, 0.6], rtol=1e-5)


def test_small_faces_and_close_ups_are_looked_for_in_two_sizes_of_one_frame() -> None:
    backend = letterboxed([((0.1, 0.1, 0.3, 0.3), 0.9, EYES_AND_MOUTH)])
    small = InputSizes(FaceSize(2, percent=True))
    found = Detector(backend, sizes=small)(np.zeros((480, 640, 3), np.uint8))
    assert backend.shapes == [(1, 3, 608, 800), (1, 3, 320, 416)]  # type: ignore[attr-defined]
    # Both see it at nearly the same place.
    assert len(found) == 1


def test_boxes_are_suppressed_before_they_are_clipped() -> None:
    # Of equal parts in the frame, while the boxes hardly overlap.
    boxes = np.array([[-60, 0, 80, 20], [0, 0, 20, 20]], np.float32)
    found = Detections(boxes, np.array([0.9, 0.8], np.float32))
    kept = suppress(found, FACTS, 100, 100)
    assert kept.boxes.tolist() == [[0, 0, 20, 20], [0, 0, 20, 20]]


def test_a_score_means_the_same_for_large_faces() -> None:
    large, small = (0.0, 0.0, 0.25, 0.2), (0.5, 0.5, 0.6, 0.6)
    backend = letterboxed([(large, 0.3, EYES_AND_MOUTH), (small, 0.3, EYES_AND_MOUTH)])
    assert backend.facts.detector is not None
    facts = replace(
        backend.facts.detector, default_score=0.5, large_face=40.0, large_face_score=0.3
    )
    backend.facts = replace(backend.facts, detector=facts)
    image = np.zeros((512, 640, 3), np.uint8)
    assert Detector(backend)(image).scores.tolist() == pytest.approx([0.5, 0.3])
    assert Detector(backend, calibrated=False)(image).scores.tolist() == pytest.approx([0.3, 0.3])
    assert len(Detector(backend, min_score=0.49)(image)) == 1
    assert len(Detector(backend, min_score=0.51)(image)) == 0


@given(st.floats(0.01, 0.99), st.floats(0.01, 0.99))
def test_scores_of_large_faces_keep_their_order(low: float, high: float) -> None:
    tall = (0.0, 0.0, 0.5, 0.4)
    backend = letterboxed([(tall, low, EYES_AND_MOUTH), (tall, high, EYES_AND_MOUTH)])
    assert backend.facts.detector is not None
    facts = replace(
        backend.facts.detector, iou_threshold=1.0, large_face=40.0, large_face_score=0.3
    )
    backend.facts = replace(backend.facts, detector=facts)
    found = Detector(backend)(np.zeros((512, 640, 3), np.uint8)).scores
    assert found.max() >= max(low, high) - 1e-6
    assert (np.diff(found) <= 0).all()
