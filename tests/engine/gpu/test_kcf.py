"""The tracker on the GPU, on the stand-in, against the CPU's."""

from __future__ import annotations

import gc
from collections.abc import Iterator, Mapping

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fer_edge.engine.cuda import device as device_module
from fer_edge.engine.cuda.device import Device
from fer_edge.engine.cuda.graph import CaptureFailed
from fer_edge.engine.gpu import kcf as gpu_kcf
from fer_edge.engine.gpu.frames import FrameUploads
from fer_edge.engine.gpu.kcf import GPUTracking, places
from fer_edge.engine.sources.demo import FACE_BOX, PHOTOGRAPH, Demo, demo_face_box
from fer_edge.engine.sources.images import read_image
from fer_edge.engine.tracking.base import Box, Followed
from fer_edge.engine.tracking.kcf import KCF
from fer_edge.engine.tracking.patches import level_of
from fer_edge.engine.tracking.poses import Pose
from fer_edge.engine.types import Image

from ..conftest import THIS_GPU
from ..cuda.cpu_gpu import StandIn
from ..stand_in import Driver

IMAGE = read_image(PHOTOGRAPH)


@pytest.fixture
def frames(driver: Driver) -> Iterator[FrameUploads]:
    uploads = FrameUploads(device_module.open_device())
    yield uploads
    uploads.close()


@pytest.fixture
def tracking(frames: FrameUploads) -> Iterator[GPUTracking]:
    made = GPUTracking(frames)
    yield made
    made.close()


def shots(count: int) -> list[Image]:
    demo = Demo()
    return [frame.image for frame in (demo.read() for _ in range(count)) if frame]


def agree(ours: Mapping[int, Followed], theirs: Mapping[int, Followed]) -> None:
    assert ours.keys() == theirs.keys()
    for id_, found in theirs.items():
        np.testing.assert_allclose(ours[id_].box, found.box, atol=0.5)
        assert ours[id_].confidence == pytest.approx(found.confidence, abs=0.05)
        assert ours[id_].angle == pytest.approx(found.angle, abs=0.01)


def test_a_face_is_followed_as_on_the_cpu(tracking: GPUTracking) -> None:
    """It moves, grows and turns, goes halfway out of the frame, and comes back."""
    ours, theirs = tracking.follower(), KCF()
    x, y, w, h = FACE_BOX
    for index in range(46):
        t = 23 - abs(index - 23)
        matrix = cv2.getRotationMatrix2D((x + w / 2, y + h / 2), 0.8 * t, 1 + 0.012 * t)
        matrix[:, 2] += [60 - 11 * t, 40 + 2 * t]
        image = cv2.warpAffine(IMAGE, matrix, (640, 480), borderMode=cv2.BORDER_REFLECT_101)
        if index == 0:
            for follower in (ours, theirs):
                follower.start(image, {7: (x + 60, y + 40, w, h)})
            continue
        found, wanted = ours.update(image), theirs.update(image)
        assert wanted
        agree(found, wanted)
        if index % 10 == 0:
            box = {7: wanted[7].box}
            assert ours.correct(box) == theirs.correct(box) == set()


def test_sixteen_faces_and_more_are_followed_as_on_the_cpu(tracking: GPUTracking) -> None:
    images = shots(9)
    x, y, w, h = demo_face_box(0)
    boxes = {id_: (x + 9 * id_, y - 5 * id_, w - 3 * id_, h) for id_ in range(16)}
    ours, theirs = tracking.follower(), KCF()
    for follower in (ours, theirs):
        follower.start(images[0], boxes)
    for image in images[1:4]:
        agree(ours.update(image), theirs.update(image))
    # More than there is memory for: what is there stays as it is.
    more = {id_: (x - 8 * id_ + 100, y + 4 * id_ - 60, w, h - 2 * id_) for id_ in range(16, 21)}
    for follower in (ours, theirs):
        follower.start(images[3], more)
    for image in images[4:]:
        agree(ours.update(image), theirs.update(image))


def test_faces_come_and_go_in_any_order(tracking: GPUTracking) -> None:
    images = shots(8)
    truth = demo_face_box(0)
    x, y, w, h = truth
    ours, theirs = tracking.follower(), KCF()
    for follower in (ours, theirs):
        follower.start(images[0], {1: (x + 40, y, w, h), 2: truth, 3: (x, y + 30, w, h)})
    agree(ours.update(images[1]), theirs.update(images[1]))
    for follower in (ours, theirs):
        follower.stop([1, 99])
    agree(ours.update(images[2]), theirs.update(images[2]))
    for follower in (ours, theirs):
        follower.start(images[2], {5: demo_face_box(2), 6: (x, y, w / 2, h / 2)})
        follower.stop([3])
        follower.correct({2: demo_face_box(2), 5: demo_face_box(2)})
    for image in images[3:]:
        agree(ours.update(image), theirs.update(image))


def test_a_covered_face_is_lost_when_it_is_on_the_cpu(tracking: GPUTracking) -> None:
    images = shots(14)
    ours, theirs = tracking.follower(), KCF()
    x, y, w, h = (round(value) for value in demo_face_box(6))
    for follower in (ours, theirs):
        follower.start(images[0], {1: demo_face_box(0)})
    lost = False
    for index, image in enumerate(images[1:], 1):
        if index > 5:
            cover = cv2.resize(IMAGE[300:500, 20:200], (w + 60, h + 60))
            image[y - 30 : y + h + 30, x - 30 : x + w + 30] = cover
        found, wanted = ours.update(image), theirs.update(image)
        assert found.keys() == wanted.keys()
        lost = lost or not found
    assert lost


def test_a_face_whose_filter_is_misled_is_found_as_on_the_cpu(tracking: GPUTracking) -> None:
    """Beside another one: filters that have learnt a face 12 pixels from where it is."""
    images = shots(8)
    x, y, w, h = demo_face_box(0)
    ours, theirs = tracking.follower(), KCF()
    for follower in (ours, theirs):
        follower.start(images[0], {1: (x, y, w, h), 2: (x + 5, y, w, h)})
        matching, poses = follower._matching, follower._poses
        with matching.seeing(images[0], poses):
            away = [pose.moved(12, 0) for pose in poses]
            matching.learn(away, np.array([1.0, 0.0], np.float32))
    for image in images[1:]:
        found, wanted = ours.update(image), theirs.update(image)
        assert wanted.keys() == {1, 2}
        agree(found, wanted)


boxes_anywhere = st.lists(
    st.tuples(
        st.floats(-300, 700), st.floats(-300, 700), st.floats(0.01, 900), st.floats(0.01, 900)
    ),
    max_size=3,
)


@given(boxes=boxes_anywhere)
def test_no_box_and_no_picture_does_harm(kernels: StandIn, boxes: list[Box]) -> None:
    uploads = FrameUploads(Device(Driver(kernels, lazy=True), THIS_GPU))
    tracking = GPUTracking(uploads)
    follower = tracking.follower()
    follower.start(IMAGE, dict(enumerate(boxes)))
    for image in (IMAGE, IMAGE[::-1, ::-1], np.zeros_like(IMAGE)):
        for found in follower.update(np.ascontiguousarray(image)).values():
            assert np.isfinite(found.box).all()
            assert 0 <= found.confidence <= 1
    tracking.close()
    uploads.close()


def test_without_faces_there_is_nothing_to_do(tracking: GPUTracking, driver: Driver) -> None:
    follower = tracking.follower()
    driver.log.clear()
    assert follower.update(IMAGE) == {}
    follower.stop([1])
    follower.start(IMAGE, {})
    follower.start(IMAGE, {1: (-400.0, 0.0, 50.0, 50.0)})
    assert follower.correct({}) == set()
    assert follower.update(IMAGE) == {}
    assert not driver.log


def test_a_frame_costs_a_few_small_copies_and_no_memory(
    tracking: GPUTracking, driver: Driver
) -> None:
    images = shots(20)
    follower = tracking.follower()
    follower.start(images[0], {id_: demo_face_box(0) for id_ in range(3)})
    driver.log.clear()
    frame = images[0].nbytes

    def copies(kind: str) -> list[int]:
        return [entry[1] for entry in driver.log if entry[0] == kind and entry[1] != frame]

    # Each of the two places of a frame has been seen, and learnt from.
    for image in images[1:7]:
        follower.update(image)
    assert set(copies("upload")) == {3 * 32}
    assert set(copies("download")) == {3 * 12, 3 * 25 * 7 * 4}
    # The second of the two.
    assert driver.count("allocate") == driver.count("pin") == 1
    driver.log.clear()
    for image in images[7:19]:
        assert len(follower.update(image)) == 3
    # What was asked before is replayed: to find, to align and, every third frame, to learn.
    assert driver.count("replay") == 2 * 12 + 4
    assert driver.count("launch") == 0
    assert [entry[1] for entry in driver.log if entry[0] == "upload"] == [frame] * 12
    follower.correct({id_: demo_face_box(18) for id_ in range(3)})
    assert copies("download") == [3 * 25 * 36 * 4]
    # A new face is in a frame that is there already.
    follower.start(images[18], {5: demo_face_box(18)})
    assert sum(entry[:2] == ("upload", frame) for entry in driver.log) == 12
    assert driver.count("allocate") == driver.count("pin") == driver.count("copy") == 0


def test_without_graphs_the_same_is_queued_call_by_call(
    tracking: GPUTracking, driver: Driver, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(stream: object, queue: object) -> None:
        raise CaptureFailed("too old")

    monkeypatch.setattr(gpu_kcf, "capture", refuse)
    images = shots(6)
    ours, theirs = tracking.follower(), KCF()
    for follower in (ours, theirs):
        follower.start(images[0], {1: demo_face_box(0)})
    for image in images[1:]:
        agree(ours.update(image), theirs.update(image))
    assert driver.count("replay") == 0


def test_what_is_recorded_is_limited(
    tracking: GPUTracking, driver: Driver, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(gpu_kcf, "_MOST_GRAPHS", 3)
    images = shots(12)
    ours, theirs = tracking.follower(), KCF()
    for index, image in enumerate(images):
        for follower in (ours, theirs):
            follower.start(image, {index % 3: demo_face_box(index)})
        agree(ours.update(image), theirs.update(image))


def test_a_follower_gives_its_memory_back_when_nobody_has_it(
    tracking: GPUTracking, driver: Driver
) -> None:
    before = len(driver.memories)
    followers = [tracking.follower() for _ in range(3)]
    followers[0].start(IMAGE, {1: FACE_BOX})
    assert len(driver.memories) > before
    while followers:
        followers.pop()
    gc.collect()
    # But for the slot of the frame.
    assert len(driver.memories) == before + 1
    kept = tracking.follower()
    tracking.close()
    tracking.close()
    assert len(driver.memories) == before + 1
    del kept


def test_a_face_s_frame_that_failed_is_not_seen_by_the_next(tracking: GPUTracking) -> None:
    follower = tracking.follower()
    follower.start(IMAGE, {1: FACE_BOX})
    matching = follower._matching
    with pytest.raises(ZeroDivisionError), matching.seeing(IMAGE, []):
        raise ZeroDivisionError
    with pytest.raises(AssertionError, match="outside"):
        matching.find([Pose(0, 0, 1, 0)])
    assert set(follower.update(IMAGE)) == {1}


@given(
    st.lists(
        st.builds(
            Pose, st.floats(-1e4, 1e4), st.floats(-1e4, 1e4), st.floats(1e-3, 1e3), st.floats(-4, 4)
        ),
        min_size=1, max_size=5,
    )
)  # fmt: skip
def test_places_are_poses_in_the_halved_frame(poses: list[Pose]) -> None:
    slots = list(range(len(poses), 0, -1))
    for pose, slot, place in zip(poses, slots, places(poses, slots), strict=True):
        assert place["slot"] == slot
        assert place["level"] == level_of(pose)
        # A step along a row of the patch, and its middle, back in the frame.
        size = 2.0 ** place["level"]
        step = pose.to_frame(1, 0)
        found = np.array([place["x"], place["y"]]) + 0.5
        np.testing.assert_allclose(found * size, pose[:2], rtol=1e-5, atol=1e-3 * size)
        expected = np.subtract(step, pose[:2])
        ours = np.array([place["cosine"], place["sine"]]) * size
        np.testing.assert_allclose(ours, expected, rtol=1e-4, atol=1e-4 * pose.scale + 1e-9)
        assert place["rate"] == 0
