"""The detector on the GPU, on the stand-in, against the same network on the CPU."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import cv2
import numpy as np
import pytest

from fer_edge.engine.backends import open_backend
from fer_edge.engine.backends.exact import Exact
from fer_edge.engine.backends.tensorrt import TensorRTBackend
from fer_edge.engine.config import shipped_weights
from fer_edge.engine.detector import Detector
from fer_edge.engine.gpu.detector import GPUDetector
from fer_edge.engine.gpu.frames import FrameUploads
from fer_edge.engine.input_size import FaceSize, InputSizes
from fer_edge.engine.sources.demo import Demo
from fer_edge.engine.tensorrt import find
from fer_edge.engine.types import Image

from ..stand_in import Driver

pytestmark = pytest.mark.usefixtures("tensorrt_is_installed")

WITH_LANDMARKS = ("centerface.onnx", "yunet_s.onnx")


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FER_EDGE_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(find, "installed_target", lambda: "tensorrt")


@contextmanager
def detectors(name: str, sizes: InputSizes) -> Iterator[tuple[GPUDetector, Detector, FrameUploads]]:
    """The same network on both, by the file that ships."""
    with ExitStack() as opened:
        backend = opened.enter_context(open_backend(shipped_weights(name), "tensorrt"))
        assert isinstance(backend, TensorRTBackend)
        plain = opened.enter_context(Exact(open_backend(shipped_weights(name), "onnxruntime")))
        frames = FrameUploads(backend.gpu)
        opened.callback(frames.close)
        yield GPUDetector(backend, frames, 0.3, sizes), Detector(plain, 0.3, sizes=sizes), frames


def demo(width: int, height: int) -> Image:
    """A frame with one face, in another size and aspect."""
    frame = Demo().read()
    assert frame is not None
    return np.asarray(cv2.resize(frame.image, (width, height)), np.uint8)


@pytest.mark.parametrize("name", WITH_LANDMARKS)
def test_boxes_and_landmarks_are_those_of_the_cpu(driver: Driver, name: str) -> None:
    with detectors(name, InputSizes()) as (ours, theirs, _):
        for size in ((640, 480), (360, 640), (500, 200)):
            image = demo(*size)
            found, expected = ours(image), theirs(image)
            assert len(found) == len(expected) == 1
            np.testing.assert_allclose(found.scores, expected.scores, atol=0.01)
            np.testing.assert_allclose(found.boxes, expected.boxes, atol=1)
            assert found.landmarks is not None
            assert expected.landmarks is not None
            assert found.landmarks.shape == (1, 5, 2)
            np.testing.assert_allclose(found.landmarks, expected.landmarks, atol=1)
            x, y, w, h = found.boxes[0]
            inside = (found.landmarks[0] - (x, y)) / (w, h)
            assert (inside > 0).all()
            assert (inside < 1).all()


def test_boxes_scores_and_landmarks_come_back_in_one_copy(driver: Driver) -> None:
    sizes = InputSizes(fixed=(160, 128))
    with detectors("yunet_s.onnx", sizes) as (ours, _, _):
        # Frames have two places on the GPU.
        for _ in range(2):
            ours(demo(320, 240))
        driver.log.clear()
        ours(demo(320, 240))
        launched = [entry[1] for entry in driver.log if entry[0] == "launch"]
        assert launched == ["letterbox_from_bgr_fp32"]
        assert driver.count("upload") == driver.count("replay") == 1
        assert driver.count("allocate") == driver.count("pin") == driver.count("execute") == 0


def test_a_frame_that_is_looked_at_in_two_sizes_goes_up_once(driver: Driver) -> None:
    sizes = InputSizes(FaceSize(2, percent=True))
    image = demo(640, 480)
    with detectors("centerface.onnx", sizes) as (ours, theirs, frames):
        see, facts = theirs._backend.facts.input, theirs._facts
        assert len(sizes.of(640, 480, see, facts)) == 2
        for turn in range(1, 4):
            found, expected = ours(image), theirs(image)
            assert frames.count == turn
            assert len(found) == len(expected) == 1
            np.testing.assert_allclose(found.boxes, expected.boxes, atol=1)
            # What is written to an array that was seen is another frame.
            image[...] = np.roll(image, 8, axis=1)
