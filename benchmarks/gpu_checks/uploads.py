"""Frames through PyCUDA: two slots, a stream of copies, the kernels, graphs."""

from __future__ import annotations

from time import perf_counter
from typing import Any

import numpy as np

from fer_edge.engine.cuda.device import open_device
from fer_edge.engine.cuda.graph import capture
from fer_edge.engine.cuda.launch import frame_launch
from fer_edge.engine.errors import BackendUnavailable
from fer_edge.engine.gpu.frames import FrameUploads
from tests.engine.cuda.reference import bilinear

from . import Skipped
from .kernels import LIMIT, RGB

FRAMES = 40
TIMED = 300


def check(options: Any) -> dict[str, Any]:
    """Every frame is the one that was given, whatever is on its way meanwhile."""
    try:
        device = open_device()
    except BackendUnavailable as error:
        raise Skipped(str(error)) from error
    rng = np.random.default_rng(0)
    images = [rng.integers(0, 256, (480, 640, 3), np.uint8) for _ in range(FRAMES)]
    frames = FrameUploads(device)
    size = 3 * 512 * 512 * 4
    worst = 0.0
    with device.current():
        stream, memory, taken = device.stream(), device.memory(size), device.pinned(size)
        frames.begin(images[0])
        for number, image in enumerate(images):
            if number + 1 < FRAMES:
                frames.begin(images[number + 1])
            with frames.frame(image, "detector", stream) as frame:
                device.launch(frame_launch(frame, RGB, int(memory), "fp32"), stream)
            device.download(taken, int(memory), stream)
            stream.synchronize()
            found = taken.view(np.float32).reshape(1, 3, 512, 512)
            worst = max(worst, float(np.abs(found - bilinear(image, RGB)).max()))
        uploads = frames.count
        spent = _time(device, frames, images, stream, int(memory))
        graphs = _graphs(device, stream, taken, int(memory))
        memory.free()
        del stream, taken
    frames.close()
    if uploads != FRAMES:
        raise AssertionError(f"{uploads} uploads of {FRAMES} frames")
    if not worst <= LIMIT:
        raise AssertionError(f"a frame is off by {worst:.2e}: another frame, or half of one")
    return {"frames": FRAMES, "largest error": worst, "frame_s": spent, "graphs": graphs}


def _time(device: Any, frames: FrameUploads, images: Any, stream: Any, memory: int) -> float:
    """Median time of a frame from array to input on the GPU, host and all."""
    times = []
    for number in range(TIMED):
        image = images[number % FRAMES]
        started = perf_counter()
        with frames.frame(image, "detector", stream) as frame:
            device.launch(frame_launch(frame, RGB, memory, "fp32"), stream)
        stream.synchronize()
        times.append(perf_counter() - started)
    return float(np.median(times[50:]))


def _graphs(device: Any, stream: Any, taken: np.ndarray, memory: int) -> bool:
    """Whether recorded work does what it did when it was queued."""
    device.download(taken, memory, stream)
    stream.synchronize()
    expected = taken.copy()
    graph = capture(stream, lambda: device.download(taken, memory, stream))
    taken[:] = 0
    graph.launch(stream)
    stream.synchronize()
    graph.close()
    if not np.array_equal(taken, expected):
        raise AssertionError("a graph did not do what was recorded")
    return True
