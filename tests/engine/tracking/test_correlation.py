from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fer_edge.engine.sources.demo import PHOTOGRAPH
from fer_edge.engine.sources.images import read_image
from fer_edge.engine.tracking.correlation import (
    LAMBDA,
    LOBE,
    SIGMA,
    CorrelationFilters,
    Peak,
    _peak,
    _power,
)

SIDE = 64
GRAY = read_image(PHOTOGRAPH)[:, :, 1]


def patch(x: int = 190, y: int = 90) -> np.ndarray:
    return np.ascontiguousarray(GRAY[y : y + SIDE, x : x + SIDE])[None]


def started(*patches: np.ndarray) -> CorrelationFilters:
    filters = CorrelationFilters(SIDE)
    for each in patches:
        filters.add(each)
    return filters


@given(st.integers(-10, 10), st.integers(-10, 10))
def test_the_peak_is_where_the_face_has_moved(dx: int, dy: int) -> None:
    (peak,) = started(patch()).find(patch(190 - dx, 90 - dy))
    assert (peak.across, peak.down) == pytest.approx((dx, dy), abs=0.6)
    assert peak.ratio > 5


@pytest.mark.parametrize(("gain", "bias"), [(0.5, 0), (0.5, 100), (1, -30), (0.9, 20)])
def test_light_changes_nothing(gain: float, bias: float) -> None:
    other = np.clip(patch(186, 93) * float(gain) + bias, 0, 255).astype(np.uint8)
    (plain,), (changed,) = started(patch()).find(patch(186, 93)), started(patch()).find(other)
    assert changed.across == pytest.approx(plain.across, abs=0.2)
    assert changed.ratio == pytest.approx(plain.ratio, rel=0.15)


def test_noise_has_a_small_ratio() -> None:
    rng = np.random.default_rng(0)
    ratios = [
        started(patch()).find(rng.integers(0, 256, (1, SIDE, SIDE), np.uint8))[0].ratio
        for _ in range(30)
    ]
    assert max(ratios) < 6
    (same,) = started(patch()).find(patch())
    assert same.ratio > 30


def reference(x: np.ndarray, z: np.ndarray) -> np.ndarray:
    """(17) and (22) of the paper in double precision, over whole spectra."""
    ramp = 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(SIDE) / SIDE)
    window = ramp[:, None] * ramp
    away = np.arange(SIDE) - SIDE // 2
    wanted = np.fft.fft2(np.exp(-0.5 * (away[:, None] ** 2 + away**2) / SIGMA**2))
    wanted[np.ix_((-1, 0, 1), (-1, 0, 1))] = 0
    xf, zf = np.fft.fft2(x * window), np.fft.fft2(z * window)
    power = (np.abs(xf) ** 2).mean()
    return np.fft.ifft2(wanted * xf.conj() / (np.abs(xf) ** 2 + LAMBDA * power) * zf).real


def test_the_response_is_the_paper_s() -> None:
    x, z = patch()[0], patch(185, 97)[0]
    expected = _peak(np.ascontiguousarray(reference(x, z), np.float32))
    (peak,) = started(x[None]).find(z[None])
    assert (peak.across, peak.down) == pytest.approx((expected.across, expected.down), abs=0.02)
    assert peak.ratio == pytest.approx(expected.ratio, rel=0.02)


@pytest.mark.parametrize("side", [8, 64])
def test_packed_powers_are_those_of_the_whole_spectrum(side: int) -> None:
    import cv2

    x = np.random.default_rng(0).random((3, side, side)).astype(np.float32)
    packed = np.stack([cv2.dft(each) for each in x])
    power = _power(packed, np.empty_like(packed))
    whole = np.abs(np.fft.fft2(x.astype(float))) ** 2
    for column in range(1, side - 1):
        np.testing.assert_allclose(power[:, :, column], whole[:, :, (column + 1) // 2], rtol=1e-3)
    for column, frequency in ((0, 0), (side - 1, side // 2)):
        rows = [(row + 1) // 2 for row in range(side)]
        np.testing.assert_allclose(power[:, :, column], whole[:, rows, frequency], rtol=1e-2)


def test_all_together_are_as_each_alone() -> None:
    faces = [patch(190, 90), patch(60, 300), patch(300, 200), patch(10, 10), patch(400, 400)]
    moved = [patch(186, 93), patch(64, 300), patch(300, 203), patch(13, 13), patch(395, 402)]
    together = started(*faces)
    rates = np.full(5, 0.3, np.float32)
    for _ in range(2):
        peaks = together.find(np.concatenate(moved))
        together.learn(np.concatenate(moved), rates)
    for index in range(5):
        alone = started(faces[index])
        for _ in range(2):
            (peak,) = alone.find(moved[index])
            alone.learn(moved[index], rates[:1])
        np.testing.assert_allclose(peak, peaks[index], rtol=1e-3, atol=1e-3)


def test_kept_rows_keep_their_order() -> None:
    faces = [patch(190, 90), patch(60, 300), patch(300, 200)]
    filters = started(*faces)
    filters.keep(np.array([2, 0]))
    peaks = filters.find(np.concatenate([faces[2], faces[0]]))
    assert all(abs(peak.across) < 0.5 and peak.ratio > 15 for peak in peaks)


def test_a_rate_of_zero_learns_nothing_and_of_one_everything() -> None:
    filters = started(patch())
    filters.learn(patch(60, 300), np.zeros(1, np.float32))
    (same,) = filters.find(patch())
    assert same == pytest.approx(started(patch()).find(patch())[0], rel=1e-3, abs=1e-3)
    filters.learn(patch(60, 300), np.ones(1, np.float32))
    (other,) = filters.find(patch(60, 300))
    assert other == pytest.approx(
        started(patch(60, 300)).find(patch(60, 300))[0], rel=1e-3, abs=1e-3
    )


@given(st.integers(0, SIDE - 1), st.integers(0, SIDE - 1), st.integers(0, 2**32 - 1))
def test_the_ratio_is_bolme_s(row: int, column: int, seed: int) -> None:
    response = np.random.default_rng(seed).normal(size=(SIDE, SIDE)).astype(np.float32)
    response[row, column] = 9.0
    rest = np.ones_like(response, bool)
    rest[max(0, row - LOBE) : row + LOBE + 1, max(0, column - LOBE) : column + LOBE + 1] = False
    expected = (9.0 - response[rest].mean()) / response[rest].std()
    peak = _peak(response)
    assert peak.ratio == pytest.approx(expected, rel=1e-3)
    assert abs(peak.across + SIDE // 2 - column) <= 0.5
    assert abs(peak.down + SIDE // 2 - row) <= 0.5


def test_a_flat_patch_is_no_trouble() -> None:
    flat = np.full((1, SIDE, SIDE), 77, np.uint8)
    for filters, seen in (
        (started(flat), patch()),
        (started(patch()), flat),
        (started(flat), flat),
    ):
        (peak,) = filters.find(seen)
        assert isinstance(peak, Peak)
        assert np.isfinite(peak).all()
        filters.learn(seen, np.ones(1, np.float32))
        assert np.isfinite(filters.find(seen)[0]).all()
