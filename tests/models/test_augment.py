from __future__ import annotations

from dataclasses import replace

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fer_edge.engine.errors import BadInput
from fer_edge.models.augment import Augmentation, augment

NOTHING = Augmentation(0, 0, 0, 0, 0, 0, 0)


def faces(seed: int, count: int = 5) -> np.ndarray:
    noise = np.random.default_rng(seed).integers(0, 256, (count, 12, 12)).astype(np.uint8)
    return np.stack([cv2.resize(n, (48, 48)) for n in noise])


def test_no_augmentation_changes_nothing() -> None:
    images = faces(0)
    np.testing.assert_array_equal(augment(images, NOTHING, np.random.default_rng(0)), images)


def test_a_sure_mirror_is_the_mirror_image() -> None:
    images = faces(1)
    mirrored = augment(images, Augmentation(1, 0, 0, 0, 0, 0, 0), np.random.default_rng(0))
    np.testing.assert_array_equal(mirrored, images[:, :, ::-1])


@given(seed=st.integers(0, 2**32 - 1))
def test_any_augmentation_stays_in_range_and_repeats(seed: int) -> None:
    images = faces(seed % 7)
    first, again = (augment(images, Augmentation(), np.random.default_rng(seed)) for _ in "ab")
    np.testing.assert_array_equal(first, again)
    assert first.dtype == np.float32
    assert first.shape == images.shape
    assert first.min() >= 0
    assert first.max() <= 255


@given(degrees=st.floats(1, 90), zoom=st.floats(0, 0.5), seed=st.integers(0, 999))
def test_the_centre_stays_when_nothing_is_shifted(degrees: float, zoom: float, seed: int) -> None:
    image = np.zeros((1, 49, 49), np.uint8)
    cv2.circle(image[0], (24, 24), 6, 255, -1)
    how = Augmentation(0.5, degrees, 0, zoom, 0, 0, 0)
    moved = augment(image, how, np.random.default_rng(seed))[0]
    y, x = np.average(np.indices(moved.shape).reshape(2, -1), axis=1, weights=moved.ravel())
    assert (x, y) == pytest.approx((24, 24), abs=0.5)


def test_erasing_makes_one_flat_rectangle() -> None:
    images = faces(2)
    erased = augment(images, Augmentation(0, 0, 0, 0, 0, 0, 1), np.random.default_rng(4))
    for before, after in zip(images, erased, strict=True):
        changed = after != before
        rows, columns = np.flatnonzero(changed.any(1)), np.flatnonzero(changed.any(0))
        box = after[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
        assert min(box.shape) >= 4
        assert max(box.shape) <= 16
        assert np.ptp(box) == 0


CAMERA = {
    "least_side": {"least_side": 12}, "blur": {"blur": 2.0}, "noise": {"noise": 20.0},
    "jpeg_quality": {"jpeg_quality": 20}, "gamma": {"gamma": 1.0}, "stretch": {"stretch": 0.3},
}  # fmt: skip


@pytest.mark.parametrize("name", CAMERA)
@given(seed=st.integers(0, 2**32 - 1))
def test_each_fault_of_a_camera_changes_faces_within_their_range(name: str, seed: int) -> None:
    images = faces(seed % 5)
    how = replace(NOTHING, camera_probability=1.0, **CAMERA[name])
    first, again = (augment(images, how, np.random.default_rng(seed)) for _ in "ab")
    np.testing.assert_array_equal(first, again)
    assert (first != images).any(axis=(1, 2)).mean() > 0.5
    assert first.min() >= 0
    assert first.max() <= 255


def test_small_and_blurred_faces_have_lost_their_details() -> None:
    images = faces(3, count=20)

    def details(**changes: float) -> float:
        how = replace(NOTHING, camera_probability=1.0, **changes)
        changed = augment(images, how, np.random.default_rng(0))
        return float(np.abs(np.diff(changed, axis=2)).mean())

    plain = details()
    assert details(least_side=8) < 0.8 * plain
    assert details(blur=3.0) < 0.8 * plain


def test_a_gamma_leaves_black_and_white() -> None:
    images = np.zeros((6, 48, 48), np.uint8)
    images[:, 10:20] = 255
    changed = augment(images, replace(NOTHING, gamma=1.0), np.random.default_rng(0))
    np.testing.assert_allclose(changed, images, atol=1e-3)


@pytest.mark.parametrize(
    "bad",
    [
        {"jpeg_quality": 0},
        {"least_side": 49},
        {"blur": -1.0},
        {"shift": 0.6},
        {"zoom": 1.0},
        {"mirror": 1.1},
        {"rotation_deg": -1.0},
    ],
)
def test_what_makes_no_sense_is_refused(bad: dict[str, float]) -> None:
    with pytest.raises(BadInput, match=next(iter(bad))):
        Augmentation(**bad)
