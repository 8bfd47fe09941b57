"""Identities: who is in view, under which id, whatever follows the pixels."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fer_edge.engine.errors import BadInput
from fer_edge.engine.geometry import iou_matrix
from fer_edge.engine.sources import open_source
from fer_edge.engine.sources.demo import FACE_BOX, PHOTOGRAPH, demo_face_box
from fer_edge.engine.sources.images import read_image
from fer_edge.engine.tracking import FaceTracker, open_tracker
from fer_edge.engine.tracking.tracker import SURE_SCORE, brought_forward
from fer_edge.engine.types import Detections, Frame

PICTURE = np.zeros((480, 640, 3), np.uint8)
NOISE = np.random.default_rng(0).integers(0, 256, (480, 640, 3), np.uint8)
LEFT, RIGHT = (10.0, 10.0, 50.0, 50.0), (300.0, 10.0, 50.0, 50.0)
FOLLOWING = ["kcf", "opencv"]


def frame(index: int, image: np.ndarray = PICTURE) -> Frame:
    return Frame(image, index, index / 10)


def found(*boxes: tuple[float, float, float, float], score: float = 0.9) -> Detections:
    return Detections(
        np.array(boxes, np.float32).reshape(-1, 4), np.full(len(boxes), score, np.float32)
    )


def ids(tracker: FaceTracker) -> list[int]:
    return [track.id for track in tracker.tracks]


def test_ids_stay_with_their_faces_whatever_the_order_of_detections() -> None:
    tracker = open_tracker("none")
    tracker.correct(frame(0), found(LEFT, RIGHT))
    first = {track.id: track.box for track in tracker.tracks}
    tracker.predict(frame(1))
    tracker.correct(frame(1), found(RIGHT, LEFT))
    assert {track.id: track.box for track in tracker.tracks} == first
    assert [track.origin for track in tracker.tracks] == ["detected"] * 2


def test_a_missed_face_comes_back_as_itself_and_is_not_shown_meanwhile() -> None:
    tracker = open_tracker("none")
    tracker.correct(frame(0), found(LEFT, RIGHT))
    tracker.correct(frame(1), found(LEFT))
    assert ids(tracker) == [1]
    assert tracker.health.lost
    tracker.predict(frame(2))
    assert ids(tracker) == [1]
    tracker.correct(frame(3), found(LEFT, RIGHT))
    assert ids(tracker) == [1, 2]
    assert not tracker.health.lost


@given(st.floats(0.0, 5.0), st.floats(0.1, 3.0))
def test_an_id_waits_for_its_time_and_is_never_used_again(gap_s: float, max_age_s: float) -> None:
    tracker = open_tracker("none", max_age_s)
    tracker.correct(Frame(PICTURE, 0, 0.0), found(LEFT, RIGHT))
    last = Frame(PICTURE, 1, gap_s)
    tracker.correct(last, found(RIGHT))
    tracker.correct(last, found(LEFT, RIGHT))
    assert ids(tracker) == ([1, 2] if gap_s <= max_age_s else [2, 3])


def test_a_face_seen_once_in_a_background_is_gone_with_the_next_detection() -> None:
    tracker = open_tracker("kcf")
    tracker.correct(frame(0, NOISE), found(RIGHT))
    for index in range(1, 10):
        tracker.predict(frame(index, NOISE))
        assert ids(tracker) == [1]
    tracker.correct(frame(9, NOISE), found())
    assert ids(tracker) == []
    assert tracker.health.faces == 0


def test_what_the_first_detection_finds_is_shown_at_once() -> None:
    tracker = open_tracker("none")
    tracker.correct(frame(0), found(LEFT, score=SURE_SCORE - 0.1))
    assert ids(tracker) == [1]
    assert not tracker.health.unconfirmed


def test_a_later_doubtful_face_is_shown_when_it_was_detected_twice() -> None:
    tracker = open_tracker("none")
    tracker.correct(frame(0), found(LEFT))
    tracker.correct(frame(1), Detections(found(LEFT, RIGHT).boxes, np.array([0.9, 0.5])))
    assert ids(tracker) == [1]
    assert tracker.health.unconfirmed
    assert tracker.health.faces == 2
    tracker.correct(frame(2), Detections(found(LEFT, RIGHT).boxes, np.array([0.9, 0.5])))
    assert ids(tracker) == [1, 2]
    assert not tracker.health.unconfirmed


def test_a_doubtful_face_that_is_not_seen_again_leaves_nothing() -> None:
    tracker = open_tracker("none")
    tracker.correct(frame(0), found(LEFT))
    tracker.correct(frame(1), Detections(found(LEFT, RIGHT).boxes, np.array([0.9, 0.5])))
    tracker.correct(frame(2), found(LEFT))
    assert not tracker.health.lost
    tracker.correct(frame(3), found(LEFT, RIGHT))
    assert ids(tracker) == [1, 3]


@pytest.mark.parametrize(("gap", "same"), [(8, True), (30, False)])
def test_a_face_that_was_hidden_on_its_way_comes_back_as_itself(gap: int, same: bool) -> None:
    """It is found beyond its last place, where its motion led; not after `MAX_AGE_S`."""
    tracker = open_tracker("kcf")
    x, y, w, h = (round(value) for value in FACE_BOX)
    face = read_image(PHOTOGRAPH)[y : y + h, x : x + w]

    def shot(index: int, shown: bool) -> tuple[Frame, tuple[float, float, float, float]]:
        left = 40 + 10 * index
        picture = cv2.GaussianBlur(NOISE, (0, 0), 5)
        if shown:
            picture[200 : 200 + h, left : left + w] = face
        return frame(index, picture), (left, 200, w, h)

    now, box = shot(0, True)
    tracker.correct(now, found(box))
    for index in range(1, 10):
        tracker.predict(shot(index, True)[0])
    for index in range(10, 10 + gap):
        tracker.predict(shot(index, False)[0])
    tracker.correct(now := shot(10 + gap, False)[0], found())
    assert ids(tracker) == []
    tracker.correct(now, found(shot(10 + gap, True)[1]))
    assert ids(tracker) == ([1] if same else [2])


def test_faces_that_are_followed_choose_before_faces_that_wait() -> None:
    tracker = open_tracker("none")
    tracker.correct(frame(0), found((100, 100, 50, 50), (120, 100, 50, 50)))
    tracker.correct(frame(1), found((120, 100, 50, 50)))
    assert ids(tracker) == [2]
    # Both boxes overlap the detection; the one that waits even more.
    tracker.correct(frame(2), found((108, 100, 50, 50)))
    assert ids(tracker) == [2]


def test_after_a_cut_nobody_comes_back() -> None:
    tracker = open_tracker("kcf")
    tracker.correct(frame(0, NOISE), found(LEFT, RIGHT))
    other = np.ascontiguousarray(NOISE[::-1, ::-1])
    tracker.predict(frame(1, other))
    tracker.cut()
    tracker.correct(frame(1, other), found(LEFT, RIGHT))
    assert ids(tracker) == [3, 4]


def test_what_is_seen_on_after_a_cut_keeps_its_id() -> None:
    tracker = open_tracker("kcf")
    tracker.correct(frame(0, NOISE), found(LEFT, RIGHT))
    brighter = (NOISE // 2 + 100).astype(np.uint8)
    tracker.predict(frame(1, brighter))
    tracker.cut()
    tracker.correct(frame(1, brighter), found(LEFT, RIGHT))
    assert ids(tracker) == [1, 2]


def test_boxes_that_rest_do_not_survive_a_cut() -> None:
    tracker = open_tracker("none")
    tracker.correct(frame(0), found(LEFT))
    tracker.predict(frame(1))
    tracker.cut()
    tracker.correct(frame(1), found(LEFT))
    assert ids(tracker) == [2]


@pytest.mark.parametrize("name", FOLLOWING)
def test_the_demo_face_is_followed_between_detections(name: str) -> None:
    tracker = open_tracker(name)
    overlaps = []
    with open_source("demo") as source:
        for shot in source:
            truth = demo_face_box(shot.index)
            tracker.predict(shot)
            if shot.index % 10 == 0:
                tracker.correct(shot, found(truth))
            else:
                assert [track.origin for track in tracker.tracks] == ["tracked"]
                box = np.array([tracker.tracks[0].box], np.float32)
                overlaps.append(iou_matrix(box, np.array([truth], np.float32))[0, 0])
            if shot.index == 60:
                break
    assert ids(tracker) == [1]
    assert np.median(overlaps) > {"kcf": 0.98, "opencv": 0.85}[name]


@pytest.mark.parametrize("name", FOLLOWING)
def test_a_face_that_is_gone_is_lost_and_keeps_its_id(name: str) -> None:
    tracker = open_tracker(name)
    tracker.correct(frame(0, NOISE), found((200, 150, 80, 80)))
    tracker.predict(frame(1, NOISE))
    assert not tracker.health.lost
    other = np.random.default_rng(1).integers(0, 256, NOISE.shape, np.uint8)
    tracker.predict(frame(2, other))
    assert tracker.health.lost
    assert tracker.tracks == ()
    tracker.correct(frame(3, NOISE), found((200, 150, 80, 80)))
    assert not tracker.health.lost
    assert ids(tracker) == [1]


@pytest.mark.parametrize("name", FOLLOWING)
@pytest.mark.parametrize(
    "box", [(-500, 0, 20, 20), (638, 478, 30, 30), (10, 10, 1, 1), (-5, -5, 60, 60)]
)
def test_boxes_at_and_beyond_the_border_do_no_harm(name: str, box: tuple[float, ...]) -> None:
    tracker = open_tracker(name)
    tracker.correct(frame(0, NOISE), found(box))  # type: ignore[arg-type]
    tracker.predict(frame(1, NOISE))
    tracker.predict(frame(2, PICTURE))


sides = st.floats(5, 100)
places = st.floats(-50, 500)
boxes = st.tuples(places, places, sides, sides)


@given(boxes, boxes)
def test_a_box_that_was_the_track_s_becomes_the_track_s(then, now) -> None:
    np.testing.assert_allclose(brought_forward(then, then, now), now, atol=1e-6)


@given(boxes, boxes, places, places)
def test_boxes_move_with_a_track_that_keeps_its_size(box, then, dx: float, dy: float) -> None:
    now = (then[0] + dx, then[1] + dy, *then[2:])
    expected = (box[0] + dx, box[1] + dy, *box[2:])
    np.testing.assert_allclose(brought_forward(box, then, now), expected, atol=1e-6)


def test_a_late_detection_is_brought_forward_by_the_motion_since() -> None:
    """Detected in frame 0, taken over after frame 4: as good as if it had come at once."""
    with open_source("demo") as source:
        shots = [shot for shot, _ in zip(source, range(6), strict=False)]
    tracker = open_tracker("kcf")
    x, y, w, h = demo_face_box(0)
    tracker.correct(shots[0], found((x + 6, y - 4, w, h)))
    then = tracker.places
    for shot in shots[1:5]:
        tracker.predict(shot)
    tracker.correct(shots[0], found(demo_face_box(0)), then)
    tracker.predict(shots[5])
    box = np.array([tracker.tracks[0].box], np.float32)
    assert iou_matrix(box, np.array([demo_face_box(5)], np.float32))[0, 0] > 0.97
    assert ids(tracker) == [1]


def test_a_face_that_is_new_in_a_late_detection_is_caught_up_with() -> None:
    with open_source("demo") as source:
        shots = [shot for shot, _ in zip(source, range(6), strict=False)]
    tracker = open_tracker("kcf")
    tracker.correct(shots[0], found(demo_face_box(0)), {})
    tracker.predict(shots[5])
    box = np.array([tracker.tracks[0].box], np.float32)
    assert iou_matrix(box, np.array([demo_face_box(5)], np.float32))[0, 0] > 0.97


def test_an_unknown_tracker_is_refused() -> None:
    with pytest.raises(BadInput, match="kcf, opencv, none"):
        open_tracker("psychic")
