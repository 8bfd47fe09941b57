"""A whole pipeline through PyCUDA, against the CPU's; run by test_pycuda.py."""

from __future__ import annotations

import ctypes
import sys
import threading
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np

from fer_edge.engine.backends import BACKENDS
from fer_edge.engine.config import (
    DETECTOR_FILE,
    EXPRESSION_FILE,
    PipelineConfig,
    shipped_weights,
)
from fer_edge.engine.cuda.device import Device, open_device
from fer_edge.engine.cuda.graph import capture
from fer_edge.engine.gpu.frames import FrameUploads
from fer_edge.engine.gpu.kcf import GPUTracking
from fer_edge.engine.pipeline import Pipeline
from fer_edge.engine.sources.demo import Demo, demo_face_box
from fer_edge.engine.tracking.kcf import KCF

from ..conftest import write_engine
from ..stand_in import tensorrt

FRAMES = 8


class AtOnce:
    """What the scripted TensorRT wants of a driver, where everything is done at once."""

    def __init__(self) -> None:
        self.log: list[Any] = []
        self.streams = self
        self._kept: list[Any] = []
        self._queue = ctypes.CDLL("libcuda.so.1").standInQueue

    def __getitem__(self, handle: int) -> Any:
        assert isinstance(handle, int)
        return SimpleNamespace(add=self._add)

    def _add(self, work: Any) -> None:
        self._kept.append(ctypes.CFUNCTYPE(None)(work))
        assert self._queue(self._kept[-1]) == 0

    def require_context(self) -> None:
        import pycuda.driver

        assert pycuda.driver.Context.get_device() is not None

    def holds(self, address: int, size: int) -> bool:
        return address > 0


def main(folder: Path) -> None:
    device = open_device()
    assert (device.gpu.name, device.gpu.capability) == ("Stand-in", "8.6")
    sys.modules["tensorrt"] = tensorrt(AtOnce())  # type: ignore[arg-type]
    entry = BACKENDS["tensorrt"]
    BACKENDS["tensorrt"] = replace(entry, libraries=(("json", "pip"),))
    config = PipelineConfig(
        detector=write_engine(shipped_weights(DETECTOR_FILE), folder / "d.engine"),
        expression=write_engine(shipped_weights(EXPRESSION_FILE), folder / "e.engine"),
        detect_every=3,
    )
    cpu = replace(config, detector=None, expression=None, backend="onnxruntime")
    with Pipeline.from_config("demo", config) as ours, Pipeline.from_config("demo", cpu) as theirs:
        found = zip(ours, theirs, range(FRAMES), strict=False)
        for mine, plain, _ in found:
            (face,), (wanted,) = mine.faces, plain.faces
            np.testing.assert_allclose(face.track.box, wanted.track.box, atol=1)
            np.testing.assert_allclose(
                list(face.probabilities.values()), list(wanted.probabilities.values()), atol=0.02
            )
    check_graphs(device)
    check_threads(device)
    check_tracking(device)
    print(f"{FRAMES} frames with a face, as on the CPU")


def check_graphs(device: Device) -> None:
    """What was recorded is done at each launch, and not before."""
    with device.current():
        memory = device.memory(16)
        made = [device.stream(), device.pinned(16), device.pinned(16)]
        made[2][:] = 0

        def queue() -> None:
            device.upload(int(memory), made[1], made[0])
            device.download(made[2], int(memory), made[0])

        graph = capture(made[0], queue)
        assert not made[2].any()
        for value in (3, 4):
            made[1][:] = value
            graph.launch(made[0])
            made[0].synchronize()
            assert (made[2] == value).all()
        graph.close()
        graph.close()
        memory.free()
        # Nothing of PyCUDA's may outlive the context.
        made.clear()


def check_threads(device: Device) -> None:
    """Any thread may compute."""
    failures: list[BaseException] = []
    with device.current():
        made = [device.stream(), device.event(timing=True)]

    def work() -> None:
        try:
            with device.current():
                made[1].record(made[0])
                made[0].wait_for_event(made[1])
                made[1].synchronize()
        except BaseException as error:
            failures.append(error)

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert not failures, failures
    with device.current():
        made.clear()


def check_tracking(device: Device) -> None:
    """More faces than there is memory for at first."""
    demo = Demo()
    images = [frame.image for frame in (demo.read() for _ in range(3)) if frame]
    x, y, w, h = demo_face_box(0)
    frames = FrameUploads(device)
    tracking = GPUTracking(frames)
    ours, theirs = tracking.follower(), KCF()
    for follower in (ours, theirs):
        for first in (0, 10):
            boxes = {id_: (x + 3 * id_, y - 2 * id_, w, h) for id_ in range(first, first + 10)}
            follower.start(images[0], boxes)
    for image in images[1:]:
        found, wanted = ours.update(image), theirs.update(image)
        assert found.keys() == wanted.keys() == set(range(20))
        for id_, face in wanted.items():
            np.testing.assert_allclose(found[id_].box, face.box, atol=0.5)
    tracking.close()
    frames.close()


if __name__ == "__main__":
    main(Path(sys.argv[1]))
