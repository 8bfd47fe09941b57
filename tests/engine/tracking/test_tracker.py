from __future__ import annotations

import numpy as np
import pytest

from fer_edge.engine.errors import BadInput
from fer_edge.engine.geometry import iou_matrix
from fer_edge.engine.sources import open_source
from fer_edge.engine.sources.demo import demo_face_box
from fer_edge.engine.tracking import FaceTracker, open_tracker
from fer_edge.engine.tracking.tracker import MAX_MISSES
from fer_edge.engine.types import Detections

PICTURE = np.zeros((480, 640, 3), np.uint8)
LEFT, RIGHT = (10.0, 10.0, 50.0, 50.0), (300.0, 10.0, 50.0, 50.0)


def found(*boxes: tuple[float, float, float, float]) -> Detections:
    return Detections(
        np.array(boxes, np.float32).reshape(-1, 4), np.full(len(boxes), 0.9, np.float32)
    )


def ids(tracker: FaceTracker) -> list[int]:
    return [track.id for track in tracker.tracks]


def test_ids_stay_with_their_faces_whatever_the_order_of_detections() -> None:
    tracker = open_tracker("none")
    tracker.correct(PICTURE, found(LEFT, RIGHT))
    first = {track.id: track.box for track in tracker.tracks}
    tracker.correct(PICTURE, found(RIGHT, LEFT))
    assert {track.id: track.box for track in tracker.tracks} == first
    assert [track.origin for track in tracker.tracks] == ["detected"] * 2


def test_a_missed_face_comes_back_as_itself_and_is_not_shown_meanwhile() -> None:
    tracker = open_tracker("none")
    tracker.correct(PICTURE, found(LEFT, RIGHT))
    tracker.correct(PICTURE, found(LEFT))
    assert ids(tracker) == [1]
    tracker.predict(PICTURE)
    assert ids(tracker) == [1]
    tracker.correct(PICTURE, found(LEFT, RIGHT))
    assert ids(tracker) == [1, 2]


def test_an_id_is_given_up_in_the_end_and_never_used_again() -> None:
    tracker = open_tracker("none")
    tracker.correct(PICTURE, found(LEFT))
    for _ in range(MAX_MISSES + 1):
        tracker.correct(PICTURE, found())
    tracker.correct(PICTURE, found(LEFT))
    assert ids(tracker) == [2]


def test_kcf_follows_the_demo_face_between_detections() -> None:
    tracker = open_tracker("kcf")
    overlaps = []
    with open_source("demo") as source:
        for frame in source:
            truth = demo_face_box(frame.index)
            if frame.index % 10 == 0:
                tracker.correct(frame.image, found(truth))
            else:
                tracker.predict(frame.image)
                assert [track.origin for track in tracker.tracks] == ["tracked"]
                box = np.array([tracker.tracks[0].box], np.float32)
                overlaps.append(iou_matrix(box, np.array([truth], np.float32))[0, 0])
            if frame.index == 60:
                break
    assert ids(tracker) == [1]
    assert np.median(overlaps) > 0.85


def test_kcf_says_when_a_face_is_gone() -> None:
    rng = np.random.default_rng(0)
    face = rng.integers(0, 256, (480, 640, 3), np.uint8)
    tracker = open_tracker("kcf")
    tracker.correct(face, found((200, 150, 80, 80)))
    tracker.predict(face)
    assert not tracker.lost
    tracker.predict(rng.integers(0, 256, (480, 640, 3), np.uint8))
    assert tracker.lost
    assert tracker.tracks == ()
    tracker.correct(face, found((200, 150, 80, 80)))
    assert not tracker.lost
    assert ids(tracker) == [1]


@pytest.mark.parametrize(
    "box", [(-500, 0, 20, 20), (638, 478, 30, 30), (10, 10, 1, 1), (-5, -5, 60, 60)]
)
def test_kcf_survives_boxes_at_and_beyond_the_border(box: tuple[float, ...]) -> None:
    tracker = open_tracker("kcf")
    picture = np.random.default_rng(1).integers(0, 256, (480, 640, 3), np.uint8)
    tracker.correct(picture, found(box))  # type: ignore[arg-type]
    tracker.predict(picture)


def test_an_unknown_tracker_is_refused() -> None:
    with pytest.raises(BadInput, match="kcf, none"):
        open_tracker("psychic")
