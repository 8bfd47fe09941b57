"""The program of 2019: its tracker follows, and its loop does what its description says."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np
import pytest

from fer_edge.benchmarks.kcf_2019 import NumpyKCF
from fer_edge.benchmarks.pipeline_2019 import Pipeline2019, Program2019
from fer_edge.benchmarks.scene import Loop, demo_portraits, render
from fer_edge.engine.errors import BadInput, InputNotFound
from fer_edge.engine.geometry import iou_matrix
from fer_edge.engine.sources.demo import Demo, demo_face_box
from fer_edge.engine.tracking.base import Box
from fer_edge.engine.types import Image

from ..convert.ssd_graph import Recipe, write_ssd


def overlap(a: Box, b: Box) -> float:
    return float(iou_matrix(np.array([a], np.float32), np.array([b], np.float32))[0, 0])


def test_the_tracker_follows_the_demo_face_through_pan_and_zoom() -> None:
    demo, tracker, overlaps = Demo(), None, []
    for index in range(60):
        frame = demo.read()
        assert frame is not None
        gray = cv2.cvtColor(frame.image, cv2.COLOR_BGR2GRAY)
        if tracker is None:
            tracker = NumpyKCF(gray, demo_face_box(0))
        else:
            overlaps.append(overlap(tracker.update(gray), demo_face_box(index)))
    assert min(overlaps) > 0.6
    assert np.median(overlaps) > 0.75


@pytest.mark.parametrize("step", [1 / 1.02, 1 / 1.04])
def test_the_tracker_follows_a_face_that_becomes_smaller(step: float) -> None:
    rng = np.random.default_rng(0)
    texture = cv2.GaussianBlur(rng.integers(0, 256, (400, 400), np.uint8), (0, 0), 4)
    texture = cv2.normalize(texture, None, 0, 255, cv2.NORM_MINMAX)
    tracker, size = NumpyKCF(texture, (160.0, 160.0, 80.0, 80.0)), 1.0
    for _ in range(15):
        size *= step
        zoom = np.array([[size, 0, 200 - 200 * size], [0, size, 200 - 200 * size]])
        box = tracker.update(cv2.warpAffine(texture, zoom, (400, 400), borderMode=4))
    assert box[2] / 80 == pytest.approx(size, rel=0.12)
    assert box[0] + box[2] / 2 == pytest.approx(200, abs=6)


def test_a_face_at_the_border_does_not_break_the_tracker() -> None:
    gray = np.random.default_rng(0).integers(0, 256, (120, 160), np.uint8)
    for box in ((-30.0, -30.0, 60.0, 60.0), (150.0, 110.0, 40.0, 40.0), (5.0, 5.0, 1.0, 1.0)):
        tracker = NumpyKCF(gray, box)
        for _ in range(3):
            assert np.isfinite(tracker.update(gray)).all()


def test_the_loop_detects_every_tenth_frame_and_predicts_every_face() -> None:
    frames = render(demo_portraits(), 1, 160, 120)
    seen: list[int] = []
    predicted: list[tuple[int, ...]] = []

    def detector(image: Image) -> list[Box]:
        seen.append(len(seen))
        return [(40.0, 30.0, 50.0, 60.0), (90.0, 30.0, 40.0, 40.0)] if len(seen) > 3 else []

    def predict(face: Image) -> np.ndarray:
        predicted.append(face.shape)
        return np.zeros(7, np.float32)

    runner = Pipeline2019(Loop(frames), detector, predict, "2019", "scripted")
    steps = [runner.step() for _ in range(31)]
    # Three frames without a face are searched one after another, then every tenth.
    assert [index for index, (_, _, fresh) in enumerate(steps) if fresh] == [0, 1, 2, 3, 10, 20, 30]
    assert [faces for _, faces, _ in steps] == [0] * 3 + [2] * 28
    assert len(predicted) == 2 * 28
    assert all(height == width for height, width in predicted)


@pytest.fixture(scope="module")
def program(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Program2019]:
    """The whole program on a small frozen graph, with TensorFlow and Keras for real."""
    path = tmp_path_factory.mktemp("graph") / "small.pb"
    write_ssd(path, Recipe())
    with Program2019(path) as opened:
        yield opened


def test_the_real_program_runs_in_both_modes(program: Program2019) -> None:
    frames = render(demo_portraits(), 1, 320, 240)
    runners = program.runners(lambda: Loop(frames), classify=False, detect_every=5)
    assert [runner.name for runner in runners] == ["2019", "2019 haar"]
    for runner in runners:
        assert "Keras" not in runner.about
        timed = runner.advance(6)
        assert timed.lap.in_hand_s is not None
        assert 0 < timed.lap.in_hand_s <= timed.lap.elapsed_s
        assert timed.detected[0]
        assert timed.detected[5]


def test_the_real_network_names_the_face_of_every_frame(program: Program2019) -> None:
    frames = render(demo_portraits(), 1, 320, 240)
    haar = program.runners(lambda: Loop(frames), classify=True)[1]
    assert "random weights" in haar.about
    assert haar.advance(2).faces.tolist() == [1, 1]


def test_a_graph_that_is_not_there_or_is_none(tmp_path: Path) -> None:
    with pytest.raises(InputNotFound, match=r"none\.pb: no such frozen graph.*--graph"):
        Program2019(tmp_path / "none.pb")
    (tmp_path / "noise.pb").write_bytes(np.random.default_rng(0).bytes(3000))
    with pytest.raises(BadInput, match=r"noise\.pb"):
        Program2019(tmp_path / "noise.pb")
