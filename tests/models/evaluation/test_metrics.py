from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fer_edge.models.evaluation.metrics import (
    accuracy,
    calibration_error,
    measure,
    most_confidently_wrong,
    roc_curves,
)

CLASSES = ("a", "b", "c", "d")


def random_case(seed: int, count: int) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    rows = rng.dirichlet([0.5] * 4, count).astype(np.float32)
    return rows, rng.integers(0, 4, count)


@given(seed=st.integers(0, 999), count=st.integers(1, 60))
def test_figures_agree_with_their_definitions(seed: int, count: int) -> None:
    rows, labels = random_case(seed, count)
    seen = np.random.default_rng(seed).random(count) < 0.3
    figures = measure(rows, labels, CLASSES, seen)
    guessed = rows.argmax(1)
    assert figures.confusion.sum() == count
    assert np.trace(figures.confusion) == figures.accuracy.right == (guessed == labels).sum()
    assert figures.without_seen is not None
    assert figures.without_seen.count == (~seen).sum()
    for index, row in enumerate(figures.per_class):
        hits = ((guessed == index) & (labels == index)).sum()
        assert row.count == (labels == index).sum()
        if row.count:
            assert row.recall == pytest.approx(hits / row.count)
        if (guessed == index).any():
            assert row.precision == pytest.approx(hits / (guessed == index).sum())
        truth = labels == index
        if truth.any() and not truth.all():
            pairs = rows[truth, index][:, None] - rows[~truth, index][None]
            assert row.auc == pytest.approx(np.mean((pairs > 0) + 0.5 * (pairs == 0)), abs=1e-6)
        else:
            assert math.isnan(row.auc)


@given(right=st.integers(0, 500), wrong=st.integers(0, 500))
def test_the_interval_holds_the_share(right: int, wrong: int) -> None:
    figure = accuracy(np.arange(right + wrong) < right)
    assert 0 <= figure.low <= figure.high <= 1
    if right + wrong:
        assert figure.low - 1e-9 <= figure.share <= figure.high + 1e-9


def test_the_interval_is_wilson_s() -> None:
    figure = accuracy(np.arange(3589) < 2308)
    p, n, z = 2308 / 3589, 3589, 1.959964
    middle, half = p + z * z / 2 / n, z * math.sqrt(p * (1 - p) / n + z * z / 4 / n / n)
    assert figure.low == pytest.approx((middle - half) / (1 + z * z / n), abs=1e-6)
    assert figure.high == pytest.approx((middle + half) / (1 + z * z / n), abs=1e-6)
    assert str(accuracy(np.zeros(0, bool))) == "no faces"


def test_confidence_that_is_right_as_often_as_it_says_has_no_error() -> None:
    rows = np.tile(np.array([[0.75, 0.25]], np.float32), (400, 1))
    assert calibration_error(rows, np.arange(400) % 4 // 3) == pytest.approx(0, abs=1e-6)
    assert calibration_error(rows, np.zeros(400, int)) == pytest.approx(0.25, abs=1e-6)
    sure = np.tile(np.array([[1.0, 0.0]], np.float32), (10, 1))
    assert calibration_error(sure, np.ones(10, int)) == pytest.approx(1)


def test_a_class_without_faces_has_no_figures() -> None:
    rows, labels = random_case(0, 50)
    labels[labels == 3] = 0
    figures = measure(rows, labels, CLASSES)
    assert math.isnan(figures.per_class[3].recall)
    assert math.isnan(figures.per_class[3].auc)
    assert not math.isnan(figures.macro_f1)
    assert not math.isnan(figures.macro_auc)
    assert figures.without_seen is None


@given(seed=st.integers(0, 99))
def test_the_surest_mistakes_come_first(seed: int) -> None:
    rows, labels = random_case(seed, 40)
    worst = most_confidently_wrong(rows, labels, 5)
    assert (rows[worst].argmax(1) != labels[worst]).all()
    sure = rows[worst].max(1)
    assert (np.diff(sure) <= 0).all()
    others = np.setdiff1d(np.flatnonzero(rows.argmax(1) != labels), worst)
    assert not len(others) or rows[others].max(1).max() <= sure[-1]


@given(seed=st.integers(0, 99))
def test_curves_rise_from_nothing_to_everything(seed: int) -> None:
    for curve in roc_curves(*random_case(seed, 40)):
        if len(curve.false_alarms):
            for axis in (curve.false_alarms, curve.true_alarms):
                assert (axis[0], axis[-1]) == (0, 1)
                assert (np.diff(axis) >= 0).all()
