from __future__ import annotations

import numpy as np
import pytest

from fer_edge.benchmarks.tracking.runs import TRACKERS
from fer_edge.engine.geometry import iou_matrix
from fer_edge.engine.sources.demo import Demo, demo_face_box


@pytest.mark.parametrize("name", [name for name in TRACKERS if name != "none"])
def test_every_tracker_follows_the_demo_face(name: str) -> None:
    demo, follower = Demo(), TRACKERS[name]()
    first = demo.read()
    assert first is not None
    follower.start(first.image, {3: demo_face_box(0)})
    for index in range(1, 15):
        frame = demo.read()
        assert frame is not None
        found = follower.update(frame.image)
        truth = np.array([demo_face_box(index)], np.float32)
        assert iou_matrix(np.array([found[3].box], np.float32), truth)[0, 0] > 0.75
    follower.stop([3])
    assert follower.update(first.image) == {}


def test_the_2019_settings_follow_size() -> None:
    demo, follower = Demo(), TRACKERS["2019"]()
    frames = [frame.image for frame in (demo.read() for _ in range(45)) if frame]
    follower.start(frames[0], {1: demo_face_box(0)})
    for image in frames[1:]:
        found = follower.update(image)
    growth = demo_face_box(44)[2] / demo_face_box(0)[2]
    assert growth > 1.1
    # In steps of a twentieth, and late.
    assert 1.05 <= found[1].box[2] / demo_face_box(0)[2] <= growth * 1.05
