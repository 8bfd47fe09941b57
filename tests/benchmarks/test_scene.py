from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from fer_edge.benchmarks.inputs import Again, encoded, held
from fer_edge.benchmarks.scene import (
    BUDGET_BYTES,
    LOOP,
    Loop,
    demo_portraits,
    find_scene,
    portraits_of,
    render,
)
from fer_edge.engine.backends import open_backend
from fer_edge.engine.config import DETECTOR_FILE, shipped_weights
from fer_edge.engine.detector import Detector
from fer_edge.engine.errors import BadInput
from fer_edge.engine.sources import open_reader
from fer_edge.engine.sources.demo import PHOTOGRAPH


@pytest.fixture(scope="module")
def detector():
    with open_backend(shipped_weights(DETECTOR_FILE)) as backend:
        yield Detector(backend, 0.5)


@pytest.mark.parametrize("faces", [1, 4, 16])
def test_the_shipped_detector_finds_every_face(detector, faces: int) -> None:
    scene = find_scene(demo_portraits(), faces, 640, 480, detector)
    assert scene.found == faces
    assert len(scene.frames) == LOOP
    assert {frame.shape for frame in scene.frames} == {(480, 640, 3)}


def test_a_loop_is_bounded_in_memory_and_has_no_seam() -> None:
    frames = render(demo_portraits(), 1, 1920, 1080)
    assert sum(frame.nbytes for frame in frames) <= max(BUDGET_BYTES, 11 * frames[0].nbytes)
    steps = [
        float(np.abs(a.astype(np.int16) - b).mean())
        for a, b in zip(frames, [*frames[1:], frames[0]], strict=True)
    ]
    # Everything moves all the time, and no faster at the end of the loop.
    assert min(steps) > 0.5
    assert steps[-1] < 1.5 * max(steps[:-1])


def test_a_scene_without_faces_is_plain() -> None:
    assert len(np.unique(render(demo_portraits(), 0, 64, 64)[0])) == 1


def test_a_loop_gives_the_same_frames_without_copies_for_ever() -> None:
    frames = render(demo_portraits(), 1, 64, 64)
    loop = Loop(frames)
    taken = [loop.read() for _ in range(2 * len(frames))]
    assert [frame.index for frame in taken] == list(range(len(taken)))
    assert all(frame.image is frames[frame.index % len(frames)] for frame in taken)


def test_portraits_come_from_photographs_with_faces(detector, tmp_path: Path) -> None:
    (tmp_path / "a.jpg").write_bytes(PHOTOGRAPH.read_bytes())
    (portrait,) = portraits_of(tmp_path, detector)
    assert 100 < portrait.box[0] < 250
    plain = tmp_path / "plain"
    plain.mkdir()
    import cv2

    cv2.imwrite(str(plain / "gray.png"), np.full((200, 200, 3), 90, np.uint8))
    with pytest.raises(BadInput, match="no face in these photographs"):
        portraits_of(plain, detector)


def test_an_encoded_scene_is_read_again_and_again(tmp_path: Path) -> None:
    scene = held(str(PHOTOGRAPH))
    path = encoded(scene, tmp_path)
    once = open_reader(str(path)).info.frame_count
    again = Again(lambda: open_reader(str(path)))
    assert once == 10 * len(scene.frames)
    indices = [again.read().index for _ in range(2 * once + 3)]
    again.close()
    assert indices == list(range(2 * once + 3))
