from __future__ import annotations

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fer_edge.engine.errors import BadInput
from fer_edge.engine.sources.demo import PHOTOGRAPH
from fer_edge.engine.sources.images import read_image
from fer_edge.engine.types import Detections, Image
from fer_edge.models.data import LabelledFaces
from fer_edge.models.data.crop import FaceCropper
from fer_edge.models.data.folder import gray_face
from fer_edge.models.data.scenes import HEIGHT, LARGEST, WIDTH, crops_in_scenes, found_in, scenes

NOISE = np.random.default_rng(0).integers(0, 256, (2, 48, 48), np.uint8)


@given(st.lists(st.integers(16, LARGEST), min_size=2, max_size=2), st.integers(0, 99))
def test_a_crop_lies_whole_in_its_scene(sides: list[int], seed: int) -> None:
    made = list(scenes(NOISE, sides, seed))
    for scene, face, wanted in zip(made, NOISE, sides, strict=True):
        x, y, side = scene.square
        assert side == wanted
        assert 0 <= x <= WIDTH - side
        assert 0 <= y <= HEIGHT - side
        how = cv2.INTER_AREA if side <= 48 else cv2.INTER_CUBIC
        shown = cv2.resize(face, (side, side), interpolation=how)
        part = scene.image[y : y + side, x : x + side]
        np.testing.assert_array_equal(part, np.repeat(shown[..., None], 3, axis=2))
    for one, again in zip(made, scenes(NOISE, sides, seed), strict=True):
        np.testing.assert_array_equal(one.image, again.image)


def test_sizes_that_have_no_place_are_refused() -> None:
    with pytest.raises(BadInput, match="16 to 160 pixels"):
        next(scenes(NOISE, [48, LARGEST + 1]))


def test_the_box_of_the_crop_is_the_best_with_its_middle_in_it() -> None:
    scene = next(scenes(NOISE[:1], [60]))
    x, y, side = scene.square
    boxes = [(x + side, y, side, side), (x + 5, y + 5, 30, 30), (x, y, side, side)]

    def detector(image: Image) -> Detections:
        assert image is scene.image
        return Detections(np.array(boxes, np.float32), np.ones(len(boxes), np.float32))

    found = found_in(scene, detector)
    assert found is not None
    np.testing.assert_array_equal(found.boxes, [(x + 5, y + 5, 30, 30)])
    del boxes[1:]
    assert found_in(scene, detector) is None


@pytest.mark.parametrize("detector", ["default", "lite", "haar"])
def test_a_detector_and_its_crop_give_the_face_back(detector: str) -> None:
    with FaceCropper("haar") as haar:
        # Cut out as FER2013's faces were.
        portrait = haar(read_image(PHOTOGRAPH))
    assert portrait is not None
    images = np.stack([gray_face(portrait), np.full((48, 48), 128, np.uint8)])
    faces = LabelledFaces(images, np.arange(2), ("face", "wall"))
    with FaceCropper(detector) as cropper:
        found = crops_in_scenes(faces, [130, 130], cropper)
    assert found.names == ("face",)
    assert found.crops is not None
    (crop,) = found.crops
    assert 100 < len(crop) < 170
    shown = cv2.resize(crop, (48, 48), interpolation=cv2.INTER_AREA).astype(float)
    assert np.corrcoef(shown.ravel(), images[0].ravel())[0, 1] > 0.5
