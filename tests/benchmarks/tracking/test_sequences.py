from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

from fer_edge.benchmarks.tracking.material import cut_heads, read_photographs
from fer_edge.benchmarks.tracking.render import HEIGHT, WIDTH
from fer_edge.benchmarks.tracking.sequences import KINDS, Director, Sequence, make_sequences
from fer_edge.engine.errors import BadInput

PHOTOGRAPHS = read_photographs(None)
HEADS = cut_heads(PHOTOGRAPHS)


def video(kind: str, fps: float = 10.0, seconds: float = 3.0) -> Sequence:
    (made,) = make_sequences(PHOTOGRAPHS, HEADS, [kind], [fps], 1, seconds)
    return made


@pytest.mark.parametrize("kind", KINDS)
def test_every_class_can_be_rendered_and_is_the_same_every_time(kind: str) -> None:
    first, second = video(kind, 4.0), video(kind, 4.0)
    assert len(first.frames) == len(first.truth) == 12
    assert first.frames[0].shape == (HEIGHT, WIDTH, 3)
    for a, b in zip(first.frames, second.frames, strict=True):
        np.testing.assert_array_equal(a, b)
    assert first.truth == second.truth
    assert all(t.visible > 0.9 for t in first.truth[0].values())
    assert all(0 <= t.visible <= 1 for known in first.truth for t in known.values())


@pytest.mark.parametrize("kind", ["pan", "zoom", "rotation"])
def test_the_truth_is_where_the_face_is(kind: str) -> None:
    """Warping a frame back by the camera's map gives the first frame's face again."""
    scene = Director(PHOTOGRAPHS, HEADS, 0).scenes(kind)[0]
    made = video(kind)
    x, y, w, h = (round(value) for value in made.truth[0][1].box)
    face = made.frames[0][y : y + h, x : x + w].astype(int)
    for index in (7, 15, 29):
        back = scene.camera(0) @ np.linalg.inv(scene.camera(index / 10))
        image = cv2.warpPerspective(made.frames[index], back, (WIDTH, HEIGHT))
        assert np.abs(image[y : y + h, x : x + w] - face).mean() < 8


def test_at_half_the_rate_a_frame_has_twice_the_motion() -> None:
    fast, slow = video("pan", 30.0), video("pan", 15.0)
    assert slow.truth[10] == fast.truth[20]


def test_hidden_faces_are_hidden_and_come_back() -> None:
    seen = [known[1].visible for known in video("occlusion", 30.0).truth]
    assert min(seen) == 0
    assert seen[0] == seen[-1] == 1


def test_crossing_faces_stay_half_visible() -> None:
    seen = [t.visible for known in video("crossing", 30.0).truth for t in known.values()]
    assert 0.5 <= min(seen) < 0.7


def test_a_cut_shows_other_faces() -> None:
    first, *_, last = video("cut").truth
    assert not set(first) & set(last)


def test_a_crowd_has_its_number_of_faces() -> None:
    for count in (1, 3, 16):
        assert len(video(f"crowd {count}", 2.0).truth[0]) == count


def test_more_photographs_need_their_boxes(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match=r"reference_detections\.json"):
        read_photographs(tmp_path)


def test_photographs_of_a_folder_are_read(shared: Path) -> None:
    photographs = read_photographs(shared / "data" / "photos")
    assert len(photographs) == 7
    assert sum(len(photograph.boxes) for photograph in photographs) >= 20
