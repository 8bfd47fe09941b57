"""Identities: who is in view, under which id, whatever follows the pixels."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fer_edge.engine.errors import BackendUnavailable, BadInput
from fer_edge.engine.geometry import iou_matrix
from fer_edge.engine.sources import open_source
from fer_edge.engine.sources.demo import FACE_BOX, PHOTOGRAPH, demo_face_box
from fer_edge.engine.sources.images import read_image
from fer_edge.engine.tracking import FaceTracker, open_tracker
from fer_edge.engine.tracking.base import Followed, Follower, Place
from fer_edge.engine.tracking.opencv import OpenCVKCF
from fer_edge.engine.tracking.tracker import SURE_SCORE
from fer_edge.engine.types import Detections, Frame, Points

from .test_kcf import camera, seen
from .test_moving import Similarity, five, similarities

PICTURE = np.zeros((480, 640, 3), np.uint8)
NOISE = np.random.default_rng(0).integers(0, 256, (480, 640, 3), np.uint8)
LEFT, RIGHT = (10.0, 10.0, 50.0, 50.0), (300.0, 10.0, 50.0, 50.0)
FOLLOWING = ["kcf", "opencv"]


def frame(index: int, image: np.ndarray = PICTURE) -> Frame:
    return Frame(image, index, index / 10)


def found(
    *boxes: tuple[float, float, float, float],
    score: float = 0.9,
    landmarks: list[Points] | None = None,
) -> Detections:
    return Detections(
        np.array(boxes, np.float32).reshape(-1, 4),
        np.full(len(boxes), score, np.float32),
        None if landmarks is None else np.array(landmarks, np.float32),
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


class Moving(Follower):
    """Moves all boxes as it is told, and takes over every correction."""

    def __init__(self, motion: Similarity) -> None:
        self._motion = motion
        self._places: dict[int, Place] = {}

    def start(self, image, boxes) -> None:
        self._places |= {id_: Place(box) for id_, box in boxes.items()}

    def correct(self, boxes) -> set[int]:
        self._places |= {id_: Place(box, self._places[id_].angle) for id_, box in boxes.items()}
        return set()

    def stop(self, ids) -> None:
        self._places = {id_: place for id_, place in self._places.items() if id_ not in ids}

    def update(self, image) -> dict[int, Followed]:
        self._places = {id_: self._motion.place(place) for id_, place in self._places.items()}
        return {id_: Followed(box, 1.0, angle) for id_, (box, angle) in self._places.items()}


def landmarks_of(tracker: FaceTracker) -> list[Points]:
    return [track.landmarks for track in tracker.tracks]


@given(similarities, five)
def test_landmarks_move_with_their_face(motion: Similarity, points: Points) -> None:
    """From where they were detected, and from where they were corrected."""
    tracker = FaceTracker(Moving(motion))
    tracker.correct(frame(0), found(LEFT, landmarks=[points]))
    np.testing.assert_allclose(landmarks_of(tracker), [points], atol=1e-3)
    tracker.predict(frame(1))
    moved = motion.points(points)
    np.testing.assert_allclose(landmarks_of(tracker), [moved], atol=1e-2)
    better = tuple((x + 3, y - 2) for x, y in moved)
    tracker.correct(frame(1), found(tracker.tracks[0].box, landmarks=[better]))
    np.testing.assert_allclose(landmarks_of(tracker), [better], atol=1e-2)
    tracker.predict(frame(2))
    np.testing.assert_allclose(landmarks_of(tracker), [motion.points(better)], atol=1e-1)


@given(similarities, five)
def test_late_landmarks_are_brought_forward(motion: Similarity, points: Points) -> None:
    tracker = FaceTracker(Moving(motion))
    tracker.correct(frame(0), found(LEFT))
    assert landmarks_of(tracker) == [()]
    tracker.predict(frame(1))
    then, box = tracker.places, tracker.tracks[0].box
    tracker.predict(frame(2))
    tracker.correct(frame(1), found(box, landmarks=[points]), then)
    np.testing.assert_allclose(landmarks_of(tracker), [motion.points(points)], atol=1e-2)


def test_landmarks_stay_with_their_faces_whatever_the_order_of_detections() -> None:
    first, second = five_at(20.0, 20.0), five_at(310.0, 20.0)
    tracker = open_tracker("none")
    tracker.correct(frame(0), found(LEFT, RIGHT, landmarks=[first, second]))
    tracker.predict(frame(1))
    tracker.correct(frame(1), found(RIGHT, LEFT, landmarks=[second, first]))
    np.testing.assert_allclose(landmarks_of(tracker), [first, second], atol=1e-3)
    # Those of another detection are not of this one.
    tracker.correct(frame(2), found(LEFT, RIGHT))
    assert landmarks_of(tracker) == [(), ()]


def five_at(x: float, y: float) -> Points:
    return ((x, y), (x + 20, y), (x + 10, y + 10), (x + 2, y + 20), (x + 18, y + 20))


# Of the demo's photograph, marked by hand.
PORTRAIT = ((203.3, 101.5), (247.3, 102.0), (226.0, 126.7), (204.7, 142.7), (244.0, 143.3))


def mapped(matrix: np.ndarray, points: Points = PORTRAIT) -> Points:
    return tuple(map(tuple, np.array(points) @ matrix[:, :2].T + matrix[:, 2]))


@pytest.mark.parametrize(
    ("growth", "turn"), [(1.0, 0.0), (1.02, 0.0), (0.98, 0.03), (1.015, -0.02)]
)
def test_landmarks_of_a_real_face_stay_on_it(growth: float, turn: float) -> None:
    """It moves, grows and turns; detected every tenth frame, within 3 % of its side."""
    tracker = open_tracker("kcf")
    for index in range(30):
        matrix = camera(index, growth**index, turn * index)
        image, box = seen(matrix)
        tracker.predict(frame(index, image))
        if index % 10 == 0:
            tracker.correct(frame(index, image), found(box, landmarks=[mapped(matrix)]))
        off = np.linalg.norm(np.array(landmarks_of(tracker)[0]) - mapped(matrix), axis=1)
        assert off.max() < 0.03 * np.sqrt(box[2] * box[3]), index
    assert ids(tracker) == [1]


@pytest.mark.parametrize("turn", [0.0, 0.03])
def test_late_landmarks_of_a_real_face_are_brought_forward(turn: float) -> None:
    """Detected in frame 2, known after frame 8, when it has moved, grown and turned."""
    shots = [(camera(t, 1.02**t, turn * t), *seen(camera(t, 1.02**t, turn * t))) for t in range(9)]
    tracker = open_tracker("kcf")
    tracker.correct(frame(0, shots[0][1]), found(shots[0][2]))
    then: dict[int, Place] = {}
    for index, (_, image, _) in enumerate(shots[1:], start=1):
        tracker.predict(frame(index, image))
        then = tracker.places if index == 2 else then
    matrix, image, box = shots[2]
    tracker.correct(frame(2, image), found(box, landmarks=[mapped(matrix)]), then)
    matrix, _, box = shots[8]
    off = np.linalg.norm(np.array(landmarks_of(tracker)[0]) - mapped(matrix), axis=1)
    assert off.max() < 0.03 * np.sqrt(box[2] * box[3])


def test_landmarks_move_with_a_box_that_is_only_moved() -> None:
    """OpenCV's follower knows neither size nor tilt."""
    tracker = open_tracker("opencv")
    with open_source("demo") as source:
        shots = [shot for shot, _ in zip(source, range(6), strict=False)]
    x, y, w, h = demo_face_box(0)
    points = five_at(x + w / 3, y + h / 3)
    tracker.correct(shots[0], found((x, y, w, h), landmarks=[points]))
    for shot in shots[1:]:
        tracker.predict(shot)
    now = tracker.tracks[0].box
    moved = np.add(points, (now[0] - x, now[1] - y))
    np.testing.assert_allclose(landmarks_of(tracker)[0], moved, atol=1e-2)


def test_an_opencv_without_kcf_is_named_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr("cv2.TrackerKCF")
    with pytest.raises(BackendUnavailable, match="--tracker opencv: this OpenCV has no KCF"):
        OpenCVKCF()
