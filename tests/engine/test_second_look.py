from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import cv2
import numpy as np
import pytest

from fer_edge.engine.backends import FakeBackend, open_backend
from fer_edge.engine.backends.base import Backend
from fer_edge.engine.config import PipelineConfig
from fer_edge.engine.detector import Detector
from fer_edge.engine.errors import BadInput
from fer_edge.engine.geometry import iou_matrix, turned
from fer_edge.engine.second_look import SecondLook
from fer_edge.engine.sources.demo import PHOTOGRAPH
from fer_edge.engine.sources.images import read_image
from fer_edge.engine.stages import detector_of
from fer_edge.engine.types import Boxes, Floats, Image

from .scripted import MARKS, detector_facts, fake_detector, fake_expression

PICTURE = np.zeros((96, 128, 3), np.uint8)


@pytest.fixture(scope="module")
def shipped() -> Backend:
    path = PipelineConfig().detector_path
    assert path is not None
    return open_backend(path)


def tilted(degrees: float) -> tuple[Image, Floats]:
    """The demo's photograph at half its size, turned with the clock, and the turn."""
    photograph = read_image(PHOTOGRAPH)[:480]
    size = photograph.shape[1], photograph.shape[0]
    turn = cv2.getRotationMatrix2D((size[0] / 2, size[1] / 2), -degrees, 0.5)
    return cv2.warpAffine(photograph, turn, size), turn  # type: ignore[return-value]


@pytest.mark.parametrize("degrees", [-80, -50, 40, 60, 70])
def test_a_tilted_head_is_found_where_it_is(degrees: float, shipped: Backend) -> None:
    upright, straight = tilted(0)
    image, turn = tilted(degrees)
    face = SecondLook(shipped, 0.5)(upright)
    found = SecondLook(shipped, 0.5)(image)
    assert len(found) == len(face) == 1
    assert found.landmarks is not None
    assert face.landmarks is not None
    # From the upright picture to the tilted one.
    back = cv2.invertAffineTransform(straight)
    between = turn[:, :2] @ back[:, :2]
    there = np.column_stack([between, turn[:, :2] @ back[:, 2] + turn[:, 2]])
    assert iou_matrix(found.boxes, turned(face.boxes, there))[0, 0] > 0.6
    points = face.landmarks[0] @ there[:, :2].T + there[:, 2]
    assert np.abs(found.landmarks[0] - points).max() < 0.15 * face.boxes[0, 3]


@pytest.mark.parametrize("degrees", [60, 70, 80, 90])
def test_a_second_look_is_surer_than_the_first(degrees: float, shipped: Backend) -> None:
    image, _ = tilted(degrees)
    first, second = Detector(shipped)(image), SecondLook(shipped, 0.5)(image)
    assert len(second) == 1
    assert second.scores[0] > first.scores.max() + 0.1


def scripted(*looks: tuple[Boxes, list[float], float]) -> FakeBackend:
    """A detector of landmarks with scripted looks: corners in 0-1, scores, degrees of tilt."""

    def answer(call: int, inputs: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
        corners, scores, degrees = looks[call]
        shape = np.array([PICTURE.shape[1], PICTURE.shape[0]], np.float32)
        turn = cv2.getRotationMatrix2D((0, 0), -degrees, 1.0)[:, :2]
        points = [
            ((np.float32(MARKS) - 0.5) * (box[3:1:-1] - box[1::-1]) * shape @ turn.T) / shape
            + (box[3:1:-1] + box[1::-1]) / 2
            for box in corners
        ]
        return {
            "boxes": corners[None],
            "scores": np.float32(scores)[None, :, None],
            "landmarks": np.float32(points)[None],
        }

    facts = detector_facts()
    assert facts.detector is not None
    see = replace(facts.input, height=96, width=128, resize="letterbox")
    return FakeBackend(
        answer,
        replace(facts, input=see, detector=replace(facts.detector, landmarks_output="landmarks")),
    )


FACE = np.float32([[0.25, 0.25, 0.75, 0.625]])
SMALL = np.float32([[0.25, 0.25, 0.35, 0.35]])
AWAY = np.float32([[0.0, 0.0, 0.4, 0.3]])


@pytest.mark.parametrize(
    ("corners", "score", "degrees", "looks"),
    [
        (FACE, 0.3, 30, 2),
        (FACE, 0.3, -30, 2),
        (FACE, 0.9, 30, 2),
        (FACE, 0.3, 10, 1),
        (FACE, 0.9, 10, 1),
        (FACE, 0.1, 30, 1),
        (SMALL, 0.3, 30, 1),
    ],
)
def test_only_what_may_be_a_tilted_head_is_looked_at_again(
    corners: Boxes, score: float, degrees: float, looks: int
) -> None:
    backend = scripted(*[(corners, [score], degrees)] * 2)
    SecondLook(backend, 0.5)(PICTURE)
    assert backend.calls == looks


def test_the_better_look_takes_the_place_of_the_worse_one() -> None:
    two = np.concatenate([FACE, AWAY])
    backend = scripted((two, [0.6, 0.7], 30), (FACE, [0.9], 0))
    found = SecondLook(backend, 0.5)(PICTURE)
    assert found.scores.tolist() == pytest.approx([0.9, 0.7])
    # What is no face after all stays out, and what was found in any case stays.
    backend = scripted((two, [0.4, 0.7], 30), (AWAY, [0.1], 0))
    assert SecondLook(backend, 0.5)(PICTURE).scores.tolist() == pytest.approx([0.7])


def test_a_face_elsewhere_in_the_turned_frame_is_none() -> None:
    backend = scripted((FACE, [0.3], 30), (AWAY, [0.9], 0))
    assert not len(SecondLook(backend, 0.5)(PICTURE))


def test_detectors_with_landmarks_get_a_second_look() -> None:
    config = PipelineConfig()
    assert isinstance(detector_of(fake_detector(lambda _: [], landmarks=True), config), SecondLook)
    assert isinstance(detector_of(fake_detector(lambda _: []), config), Detector)
    with pytest.raises(BadInput, match="no detector"):
        SecondLook(fake_expression())
