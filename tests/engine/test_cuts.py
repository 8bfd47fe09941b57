from __future__ import annotations

import cv2
import numpy as np
import pytest

from fer_edge.engine.cuts import CutDetector, is_cut, thumbnail
from fer_edge.engine.sources import open_source
from fer_edge.engine.sources.demo import PHOTOGRAPH
from fer_edge.engine.sources.images import read_image


def test_the_demo_has_no_cut() -> None:
    seen = CutDetector()
    with open_source("demo") as source:
        assert not any(seen.see(frame.image) for frame, _ in zip(source, range(300), strict=False))


def test_another_scene_is_a_cut_once() -> None:
    scene = read_image(PHOTOGRAPH)
    other = np.ascontiguousarray(cv2.applyColorMap(scene[::-1, :, 0], cv2.COLORMAP_JET))
    seen = CutDetector()
    shown = [scene, scene, other, other, scene]
    assert [seen.see(image) for image in shown] == [False, False, True, False, True]  # type: ignore[arg-type]


@pytest.mark.parametrize("gain", [0.5, 0.8, 1.25])
def test_a_change_of_light_is_no_cut(gain: float) -> None:
    scene = read_image(PHOTOGRAPH)
    brighter = cv2.convertScaleAbs(scene, alpha=gain, beta=10)
    assert not is_cut(thumbnail(scene), thumbnail(brighter))  # type: ignore[arg-type]


def test_noise_and_small_frames_are_no_cut() -> None:
    rng = np.random.default_rng(0)
    scene = read_image(PHOTOGRAPH)
    for image in (scene, scene[:1, :1], np.zeros((2, 3, 3), np.uint8)):
        grain = rng.normal(0, 15, image.shape)
        noisy = np.clip(image + grain, 0, 255).astype(np.uint8)
        assert not is_cut(thumbnail(image), thumbnail(noisy)) or image.size < 30
        assert not is_cut(thumbnail(image), thumbnail(image))
