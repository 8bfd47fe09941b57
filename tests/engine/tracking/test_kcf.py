from __future__ import annotations

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fer_edge.engine.geometry import iou_matrix
from fer_edge.engine.sources.demo import FACE_BOX, PHOTOGRAPH, Demo, demo_face_box
from fer_edge.engine.sources.images import read_image
from fer_edge.engine.tracking.base import Box
from fer_edge.engine.tracking.kcf import KCF
from fer_edge.engine.tracking.matching import PatchMatching

IMAGE = read_image(PHOTOGRAPH)


def iou(a: Box, b: Box) -> float:
    return float(iou_matrix(np.array([a], np.float32), np.array([b], np.float32))[0, 0])


def seen(matrix: np.ndarray) -> tuple[np.ndarray, Box]:
    """The photograph moved by an affine map, and its face's box, upright."""
    image = cv2.warpAffine(IMAGE, matrix, (640, 480), borderMode=cv2.BORDER_REFLECT_101)
    x, y, w, h = FACE_BOX
    middle = matrix @ [x + w / 2, y + h / 2, 1]
    scale = np.sqrt(np.linalg.det(matrix[:, :2]))
    size = np.array([w, h]) * scale
    return image, (*(middle - size / 2), *size)


def camera(t: float, zoom: float = 1.0, angle: float = 0.0) -> np.ndarray:
    turned = cv2.getRotationMatrix2D((223, 124), np.degrees(angle), zoom)
    turned[:, 2] += [100 + 4 * t, 60 + 2 * t]
    return turned


@pytest.mark.parametrize(
    ("growth", "turn"), [(1.0, 0.0), (1.02, 0.0), (0.98, 0.0), (1.0, 0.03), (1.015, -0.02)]
)
def test_position_size_and_tilt_are_followed(growth: float, turn: float) -> None:
    follower = KCF()
    image, box = seen(camera(0))
    follower.start(image, {7: box})
    for frame in range(1, 25):
        image, truth = seen(camera(frame, growth**frame, turn * frame))
        found = follower.update(image)
        assert iou(found[7].box, truth) > 0.93, frame
        # OpenCV turns the other way round.
        assert found[7].angle == pytest.approx(-turn * frame, abs=0.03), frame
        assert 0 < found[7].confidence <= 1


def test_many_faces_are_followed_as_each_alone() -> None:
    demo = Demo()
    frames = [frame.image for frame in (demo.read() for _ in range(12)) if frame]
    x, y, w, h = demo_face_box(0)
    boxes = {id_: (x + 9 * id_, y - 5 * id_, w - 3 * id_, h) for id_ in range(20)}
    together = KCF()
    for id_, box in boxes.items():
        together.start(frames[0], {id_: box})
    answers = [together.update(image) for image in frames[1:]]
    for id_ in (0, 3, 11, 19):
        alone = KCF()
        alone.start(frames[0], {id_: boxes[id_]})
        for image, answer in zip(frames[1:], answers, strict=True):
            found = alone.update(image)
            np.testing.assert_allclose(found[id_].box, answer[id_].box, atol=0.05)


def test_faces_come_and_go_in_any_order() -> None:
    demo = Demo()
    frames = [frame.image for frame in (demo.read() for _ in range(8)) if frame]
    truth = demo_face_box(0)
    x, y, w, h = truth
    follower = KCF()
    follower.start(frames[0], {1: (x + 40, y, w, h), 2: truth, 3: (x, y + 30, w, h)})
    assert set(follower.update(frames[1])) == {1, 2, 3}
    follower.stop([1, 99])
    assert set(follower.update(frames[2])) == {2, 3}
    follower.start(frames[2], {5: demo_face_box(2)})
    follower.stop([3])
    found = follower.update(frames[3])
    assert set(found) == {2, 5}
    assert iou(found[2].box, demo_face_box(3)) > 0.97
    assert iou(found[5].box, demo_face_box(3)) > 0.97


def test_a_correction_moves_the_box_and_not_the_template() -> None:
    """A box that was a little off is right after it, and stays so in later frames."""
    demo = Demo()
    frames = [frame.image for frame in (demo.read() for _ in range(20)) if frame]
    x, y, w, h = demo_face_box(0)
    follower = KCF()
    follower.start(frames[0], {1: (x + 8, y - 6, 1.1 * w, 1.1 * h)})
    for frame in range(1, 10):
        follower.update(frames[frame])
    before = follower._poses[0]
    assert follower.correct({1: demo_face_box(9)}) == set()
    assert follower._poses[0] == before
    for frame in range(10, 20):
        found = follower.update(frames[frame])
        assert iou(found[1].box, demo_face_box(frame)) > 0.97


def test_what_a_correction_moves_far_has_to_start_anew() -> None:
    demo = Demo()
    first, second = demo.read(), demo.read()
    assert first is not None
    assert second is not None
    x, y, w, h = demo_face_box(0)
    follower = KCF()
    follower.start(first.image, {1: (x, y, w, h)})
    follower.update(second.image)
    assert follower.correct({1: (x + w, y, w, h), 2: (x, y, w, h)}) == {1, 2}


def test_a_face_that_leaves_the_frame_is_lost() -> None:
    follower = KCF()
    image, box = seen(camera(0))
    follower.start(image, {1: box})
    gone = None
    for frame in range(1, 80):
        matrix = camera(0)
        matrix[0, 2] -= 8 * frame
        image, box = seen(matrix)
        inside = max(0.0, min(box[0] + box[2], 640) - max(box[0], 0)) / box[2]
        if 1 not in follower.update(image):
            gone = inside
            break
        assert inside > 0.2
    assert gone is not None
    assert gone < 0.6


def test_a_covered_face_is_lost_within_five_frames() -> None:
    demo = Demo()
    frames = [frame.image for frame in (demo.read() for _ in range(20)) if frame]
    follower = KCF()
    follower.start(frames[0], {1: demo_face_box(0)})
    for image in frames[1:6]:
        assert 1 in follower.update(image)
    followed = 0
    for image in frames[6:12]:
        x, y, w, h = (round(value) for value in demo_face_box(6))
        cover = cv2.resize(IMAGE[300:500, 20:200], (w + 60, h + 60))
        image[y - 30 : y + h + 30, x - 30 : x + w + 30] = cover
        if 1 not in follower.update(image):
            break
        followed += 1
    assert followed < 5


def test_what_slides_before_a_face_takes_neither_it_nor_its_size() -> None:
    """Two fifths are covered in three frames, by something with a texture of its own."""
    image, box = seen(camera(0))
    x, y, w, h = (round(value) for value in box)
    board = cv2.resize(IMAGE[300:460, 300:500], (2 * w, h + 80))
    follower = KCF()
    follower.start(image, {1: box})
    for frame in range(1, 24):
        edge = x + min(12 * frame, round(0.4 * w))
        shot = image.copy()
        shot[y - 40 : y + h + 40, edge - 2 * w : edge] = board
        assert iou(follower.update(shot)[1].box, box) > 0.9, frame


@pytest.mark.parametrize("others", [0, 2])
def test_a_face_in_plain_sight_is_kept_when_its_filter_is_misled(others: int) -> None:
    demo = Demo()
    frames = [frame.image for frame in (demo.read() for _ in range(8)) if frame]
    x, y, w, h = demo_face_box(0)
    follower = KCF()
    follower.start(frames[0], dict.fromkeys(range(10, 10 + others), (x + 5, y, w, h)))
    follower.start(frames[0], {1: (x, y, w, h)})
    # It has learnt the face 12 pixels from where it is.
    matching = follower._matching
    assert isinstance(matching, PatchMatching)
    astray = np.roll(matching._patches[: others + 1], 12, axis=2)
    matching._filters.learn(astray, np.array(others * [0.0] + [1.0], np.float32))
    for frame in range(1, 8):
        found = follower.update(frames[frame])
        assert iou(found[1].box, demo_face_box(frame)) > 0.95, frame
        assert len(found) == others + 1


@given(
    st.lists(
        st.tuples(
            st.floats(-300, 700), st.floats(-300, 700), st.floats(0.01, 900), st.floats(0.01, 900)
        ),
        max_size=4,
    )
)
def test_no_box_and_no_picture_does_harm(boxes: list[Box]) -> None:
    follower = KCF()
    follower.start(IMAGE, dict(enumerate(boxes)))
    for image in (IMAGE, IMAGE[::-1, ::-1], np.zeros_like(IMAGE)):
        for found in follower.update(np.ascontiguousarray(image)).values():
            assert np.isfinite(found.box).all()
            assert 0 <= found.confidence <= 1


def test_without_faces_there_is_nothing_to_do() -> None:
    follower = KCF()
    assert follower.update(IMAGE) == {}
    follower.stop([1])
    follower.start(IMAGE, {})
    assert follower.correct({}) == set()
    assert follower.update(IMAGE) == {}
