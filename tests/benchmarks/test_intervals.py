from __future__ import annotations

from math import comb, exp, log

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fer_edge.benchmarks.intervals import (
    mean_interval,
    paired_ratio,
    percentile_estimate,
    rate_interval,
    samples_needed,
    t_quantile,
    unpaired_ratio,
)

rates = st.lists(st.floats(0.1, 1000), min_size=5, max_size=12)


def test_percentiles_need_as_many_samples_as_mlperf_asks() -> None:
    assert [samples_needed(p) for p in (90, 99)] == [64, 662]
    times = np.arange(662.0)
    assert percentile_estimate(times[:661], 99) is None
    assert percentile_estimate(times, 99) == 661
    assert percentile_estimate(times[:0], 50) is None


@given(st.integers(11, 300), st.sampled_from([50.0, 90.0, 99.0]))
def test_an_estimate_is_too_good_with_a_chance_below_one_percent(n: int, percent: float) -> None:
    estimate = percentile_estimate(np.arange(float(n)), percent)
    share = 1 - percent / 100
    if estimate is None:
        allowed = 1
    else:
        above = n - int(estimate)
        # The t-th largest was given; t + 1 would have been too many.
        chance = sum(comb(n, k) * share**k * (1 - share) ** (n - k) for k in range(above + 1))
        assert chance <= 0.01
        allowed = above + 1
    chance = sum(comb(n, k) * share**k * (1 - share) ** (n - k) for k in range(allowed + 1))
    assert chance > 0.01


def test_an_estimate_lies_above_the_plain_percentile_and_comes_down_to_it() -> None:
    rng = np.random.default_rng(0)
    gaps = []
    for count in (1_000, 100_000):
        times = rng.exponential(size=count)
        estimate = percentile_estimate(times, 99)
        assert estimate is not None
        gaps.append(estimate - np.percentile(times, 99))
    assert gaps[0] > gaps[1] > 0


def test_the_t_interval_holds_the_true_mean_in_95_of_100_runs() -> None:
    rng = np.random.default_rng(0)
    held = 0
    for _ in range(2000):
        interval = mean_interval(rng.normal(7, 2, 5).tolist())
        assert interval.low is not None
        assert interval.high is not None
        held += interval.low <= 7 <= interval.high
    assert 0.935 < held / 2000 < 0.965


def test_quantiles_fall_towards_the_normal_one() -> None:
    values = [t_quantile(freedom) for freedom in (0.3, 1, 4, 4.9, 5, 30, 31, 10_000)]
    assert values[0] == values[1] == pytest.approx(12.706)
    assert values[2] == values[3] == pytest.approx(2.776)
    assert values == sorted(values, reverse=True)
    assert values[-1] == pytest.approx(1.96, abs=0.001)


@given(rates)
def test_a_rate_is_all_frames_over_all_time(seconds: list[float]) -> None:
    rate = rate_interval([100] * len(seconds), seconds)
    assert rate.value == pytest.approx(100 * len(seconds) / sum(seconds))
    assert rate.low is not None
    assert 0 < rate.low <= rate.value
    # A mean of ratios would never be below it.
    assert rate.value <= np.mean([100 / spent for spent in seconds]) * (1 + 1e-9)


@given(rates, st.floats(0.1, 10))
def test_a_constant_factor_between_pairs_has_no_spread(values: list[float], factor: float) -> None:
    ratio = paired_ratio([value * factor for value in values], values)
    assert ratio.value == pytest.approx(factor)
    assert ratio.low == pytest.approx(factor)
    assert ratio.high == pytest.approx(factor)


@given(rates, rates)
def test_the_other_way_round_is_the_reciprocal(a: list[float], b: list[float]) -> None:
    there, back = unpaired_ratio(a, b), unpaired_ratio(b, a)
    assert there.value == pytest.approx(1 / back.value)
    assert there.low is not None
    assert back.high is not None
    assert there.low == pytest.approx(1 / back.high)
    assert log(there.value) == pytest.approx(np.log(a).mean() - np.log(b).mean(), abs=1e-9)
    assert exp(0) == unpaired_ratio(a, a).value


def test_one_repetition_has_no_interval() -> None:
    assert mean_interval([3.0]).low is None
    assert unpaired_ratio([3.0], [2.0]).high is None
    assert str(mean_interval([3.0])) == "3"
