"""Uploads in any order of calls, on a GPU that is as late, or as early, as events allow."""

from __future__ import annotations

import threading
from dataclasses import dataclass

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fer_edge.engine.cuda.device import Device
from fer_edge.engine.cuda.launch import frame_launch
from fer_edge.engine.gpu.frames import FrameUploads, Stage
from fer_edge.engine.model import InputFacts
from fer_edge.engine.preprocess import network_input

from ..conftest import THIS_GPU
from ..cuda.cpu_gpu import StandIn
from ..stand_in import Driver, Memory, Stream

SEE = InputFacts("image", 4, 4, "rgb", "half_pixel_bilinear", (0.0,) * 3, (1.0,) * 3)
SIZE = 3 * 4 * 4 * 4


@dataclass
class Reader:
    """A stage that turns a frame into a 4x4 input, and is asked for it later."""

    stage: Stage
    stream: Stream
    memories: list[Memory]


def reader(device: Device, stage: Stage) -> Reader:
    return Reader(stage, device.stream(), [])


def read(frames: FrameUploads, reader: Reader, image: np.ndarray) -> Memory:
    device = frames.device
    out = device.memory(SIZE)
    reader.memories.append(out)
    with device.current(), frames.frame(image, reader.stage, reader.stream) as frame:
        device.launch(frame_launch(frame, SEE, int(out), "fp32"), reader.stream)
    return out


calls = st.lists(
    st.tuples(st.sampled_from(["begin", "detector", "classifier", "replace"]), st.integers(0, 3)),
    min_size=1, max_size=14,
)  # fmt: skip


@pytest.mark.parametrize("lazy", [True, False])
@given(calls=calls)
def test_a_stage_sees_the_frame_as_it_was_when_it_asked(
    kernels: StandIn, lazy: bool, calls: list[tuple[str, int]]
) -> None:
    driver = Driver(kernels, lazy)
    device = Device(driver, THIS_GPU)
    rng = np.random.default_rng(0)
    images = [rng.integers(0, 256, (6 + n, 8, 3), np.uint8) for n in range(4)]
    frames = FrameUploads(device)
    expected: list[tuple[Memory, np.ndarray]] = []
    with device.current():
        readers = {stage: reader(device, stage) for stage in ("detector", "classifier")}
        for call, number in calls:
            image = images[number]
            if call == "begin":
                frames.begin(image)
            elif call == "replace":
                images[number] = rng.integers(0, 256, image.shape, np.uint8)
            else:
                out = read(frames, readers[call], image)
                expected.append((out, network_input(image, SEE)))
        for each in readers.values():
            each.stream.synchronize()
        for out, wanted in expected:
            found = out.bytes.view(np.float32).reshape(1, 3, 4, 4)
            np.testing.assert_allclose(found, wanted, atol=0.01)
    frames.close()
    frames.close()


@pytest.mark.parametrize("lazy", [True, False])
def test_a_written_array_is_uploaded_as_it_was_at_begin(kernels: StandIn, lazy: bool) -> None:
    device = Device(Driver(kernels, lazy), THIS_GPU)
    frames = FrameUploads(device)
    image = np.full((5, 5, 3), 10, np.uint8)
    with device.current():
        detector = reader(device, "detector")
        frames.begin(image)
        image[...] = 99
        first = read(frames, detector, image)
        second = read(frames, detector, image)
        detector.stream.synchronize()
        assert set(first.bytes.view(np.float32)) == {10.0}
        assert set(second.bytes.view(np.float32)) == {99.0}
    assert frames.count == 2
    frames.close()


def test_both_stages_share_one_upload(driver: Driver, kernels: StandIn) -> None:
    device = Device(driver, THIS_GPU)
    frames = FrameUploads(device)
    image = np.zeros((5, 5, 3), np.uint8)
    with device.current():
        for stage in ("detector", "classifier"):
            read(frames, reader(device, stage), image).free()
    assert frames.count == 1
    frames.close()


def test_stages_in_threads_of_their_own_get_their_frames(kernels: StandIn) -> None:
    """With a driver that is eager, since the lazy one has one thread's queues."""
    lock = threading.RLock()

    class Guarded(Driver):
        def require_context(self) -> None:
            pass

    device = Device(Guarded(kernels, lazy=False), THIS_GPU)
    frames = FrameUploads(device)
    rng = np.random.default_rng(0)
    images = [rng.integers(0, 256, (6, 8, 3), np.uint8) for _ in range(60)]
    wrong: list[int] = []

    def work(stage: Stage, order: list[int]) -> None:
        own = reader(device, stage)
        for number in order:
            out = read(frames, own, images[number])
            with lock:
                found = out.bytes.view(np.float32).reshape(1, 3, 4, 4)
                if np.abs(found - network_input(images[number], SEE)).max() > 0.01:
                    wrong.append(number)

    threads = [
        threading.Thread(target=work, args=("detector", list(range(0, 60, 3)))),
        threading.Thread(target=work, args=("classifier", list(range(60)))),
    ]
    for thread in threads:
        thread.start()
    for image in images:
        frames.begin(image)
    for thread in threads:
        thread.join()
    assert not wrong
