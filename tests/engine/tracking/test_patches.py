from __future__ import annotations

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fer_edge.engine.gray import GrayMemory
from fer_edge.engine.sources.demo import PHOTOGRAPH
from fer_edge.engine.sources.images import read_image
from fer_edge.engine.tracking.patches import GrayFrame
from fer_edge.engine.tracking.poses import Pose

IMAGE = read_image(PHOTOGRAPH)
SIDE = 32


def cut(image: np.ndarray, *poses: Pose) -> np.ndarray:
    out = np.empty((len(poses), SIDE, SIDE), np.uint8)
    GrayFrame(image, poses, SIDE, GrayMemory()).cut(poses, out)
    return out


def test_a_patch_of_the_frame_s_own_pixels_is_the_frame() -> None:
    gray = cv2.cvtColor(IMAGE, cv2.COLOR_BGR2GRAY)
    (patch,) = cut(IMAGE, Pose(216, 116, 1.0, 0.0))
    np.testing.assert_array_equal(patch, gray[100:132, 200:232])


@pytest.mark.parametrize("level", [1, 2, 3, 4])
def test_large_faces_are_averaged_not_skipped(level: int) -> None:
    factor = 2**level
    gray = cv2.cvtColor(IMAGE, cv2.COLOR_BGR2GRAY)
    # Of faces that large, four rows for each of the patch.
    kept = max(0, level - 2)
    rows = np.repeat(gray[(1 << kept) >> 1 :: 1 << kept], 1 << kept, axis=0)
    mean = cv2.resize(rows, None, fx=1 / factor, fy=1 / factor, interpolation=cv2.INTER_AREA)
    middle = 256.0
    (patch,) = cut(IMAGE, Pose(middle, middle, float(factor), 0.0))
    start = int(middle / factor) - SIDE // 2
    expected = mean[start : start + SIDE, start : start + SIDE].astype(int)
    # Halving again rounds again.
    assert np.abs(patch - expected).max() <= level


def test_a_face_that_went_farther_than_expected_is_cut_all_the_same() -> None:
    expected, found = Pose(150, 150, 4.0, 0.1), Pose(300, 260, 4.0, 0.1)
    frame = GrayFrame(IMAGE, [expected], SIDE, GrayMemory())
    patches = np.empty((3, 1, SIDE, SIDE), np.uint8)
    for pose, patch in zip((expected, found, expected), patches, strict=True):
        frame.cut([pose], patch)
    np.testing.assert_array_equal(patches[1, 0], cut(IMAGE, found)[0])
    np.testing.assert_array_equal(patches[2, 0], patches[0, 0])


@given(
    st.lists(
        st.builds(
            Pose, st.floats(-40, 550), st.floats(-40, 550), st.floats(0.2, 5), st.floats(-1, 1)
        ),
        min_size=1,
        max_size=4,
    )
)
def test_the_surroundings_are_enough(poses: list[Pose]) -> None:
    """Cut alone or among others that make the whole frame be converted: the same picture."""
    together = cut(IMAGE, *poses * 20)[: len(poses)]
    for pose, patch in zip(poses, together, strict=True):
        # Where no part of a face is in the frame there is nothing to see.
        if 0 < pose.x < 512 and 0 < pose.y < 512:
            np.testing.assert_array_equal(cut(IMAGE, pose)[0], patch)


def test_outside_the_frame_its_border_goes_on() -> None:
    image = np.full((40, 50, 3), 200, np.uint8)
    (beside,) = cut(image, Pose(-30, 20, 1.0, 0.0))
    np.testing.assert_array_equal(beside[:, -1] % 200, 0)
    (far,) = cut(image, Pose(-900, -900, 1.0, 0.0))
    assert far.shape == (SIDE, SIDE)
