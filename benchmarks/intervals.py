"""What repetitions allow to say: intervals of means and ratios, and tail percentiles.

Repetitions of one run are few (5 or more), so means get Student's t interval. Ratios are
means of logarithms, so that A against B and B against A say the same. Percentiles of
frame times follow MLPerf's early stopping (MLPerf Inference rules; LoadGen): a run may
claim the p-th percentile when, with 99 % confidence, the true one is not above the value
given.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import exp, floor, log, sqrt

import numpy as np
import numpy.typing as npt

# Student's t, 97.5 %, for 1 to 30 degrees of freedom; the normal's 1.96 is near beyond.
_T = (
    12.706, 4.303, 3.182, 2.776, 2.571, 2.447, 2.365, 2.306, 2.262, 2.228, 2.201, 2.179, 2.160,
    2.145, 2.131, 2.120, 2.110, 2.101, 2.093, 2.086, 2.080, 2.074, 2.069, 2.064, 2.060, 2.056,
    2.052, 2.048, 2.045, 2.042,
)  # fmt: skip
_NORMAL = 1.960
# Chance that a percentile's estimate is too good.
RISK = 0.01


@dataclass(frozen=True)
class Interval:
    """A value with its 95 % interval; `low` and `high` are None below two repetitions."""

    value: float
    low: float | None
    high: float | None

    def __str__(self) -> str:
        if self.low is None or self.high is None:
            return _digits(self.value)
        return f"{_digits(self.value)} ({_digits(self.low)} to {_digits(self.high)})"


def _digits(value: float) -> str:
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}"


def t_quantile(freedom: float) -> float:
    """Two-sided 95 % quantile of Student's t; fractions of a degree are rounded down."""
    whole = max(1, floor(freedom))
    return _T[whole - 1] if whole <= len(_T) else _NORMAL


def mean_interval(values: Sequence[float]) -> Interval:
    """Mean of repetitions with Student's t interval."""
    mean = float(np.mean(values))
    if len(values) < 2:
        return Interval(mean, None, None)
    half = t_quantile(len(values) - 1) * float(np.std(values, ddof=1)) / sqrt(len(values))
    return Interval(mean, mean - half, mean + half)


def rate_interval(amounts: Sequence[float], seconds: Sequence[float]) -> Interval:
    """Amount over time of all repetitions together, with the t interval of the repetitions.

    The value is the sum of the amounts over the sum of the times, never a mean of ratios.
    The interval is that of the logarithms, so that no rate is below zero.
    """
    pairs = zip(amounts, seconds, strict=True)
    spread = mean_interval([log(amount / spent) for amount, spent in pairs])
    value = sum(amounts) / sum(seconds)
    if spread.low is None or spread.high is None:
        return Interval(value, None, None)
    half = (spread.high - spread.low) / 2
    return Interval(value, value * exp(-half), value * exp(half))


def paired_ratio(numerators: Sequence[float], denominators: Sequence[float]) -> Interval:
    """Ratio of two kinds that took turns, pair by pair: geometric mean and its t interval."""
    pairs = zip(numerators, denominators, strict=True)
    logs = mean_interval([log(a / b) for a, b in pairs])
    return _exponential(logs)


def unpaired_ratio(numerators: Sequence[float], denominators: Sequence[float]) -> Interval:
    """Ratio of two kinds from different runs: geometric means, Welch's t interval."""
    a, b = np.log(numerators), np.log(denominators)
    difference = float(a.mean() - b.mean())
    if min(len(a), len(b)) < 2:
        return Interval(exp(difference), None, None)
    parts = (float(a.var(ddof=1)) / len(a), float(b.var(ddof=1)) / len(b))
    total = sum(parts)
    if total == 0:
        return Interval(exp(difference), exp(difference), exp(difference))
    freedom = total**2 / (parts[0] ** 2 / (len(a) - 1) + parts[1] ** 2 / (len(b) - 1))
    half = t_quantile(freedom) * sqrt(total)
    return _exponential(Interval(difference, difference - half, difference + half))


def _exponential(logs: Interval) -> Interval:
    if logs.low is None or logs.high is None:
        return Interval(exp(logs.value), None, None)
    return Interval(exp(logs.value), exp(logs.low), exp(logs.high))


def percentile_estimate(times: npt.NDArray[np.float64], percent: float) -> float | None:
    """MLPerf's early-stopping estimate of a percentile, or None with too few samples.

    It is the t-th largest time, where t is the largest number for which finding no more
    than t times above the true percentile has a chance below 1 %. It needs 64 samples for
    the 90th and 662 for the 99th percentile, and comes down to the plain percentile as
    they become many.

    Args:
        times: the samples, in any order and unit.
        percent: 0-100, exclusive.
    """
    count = len(times)
    t = _allowed_above(count, 1 - percent / 100)
    return float(np.partition(times, count - t)[count - t]) if t >= 1 else None


def _allowed_above(count: int, share: float) -> int:
    """The largest t for which a binomial(count, share) is at most t with chance `RISK`."""
    if count < 1:
        return 0
    k = np.arange(count + 1)
    steps = np.log(count - k[:-1]) - np.log(k[:-1] + 1) + log(share) - log(1 - share)
    chance = count * log(1 - share) + np.concatenate([[0.0], np.cumsum(steps)])
    below = np.logaddexp.accumulate(chance) <= log(RISK)
    return int(below.sum()) - 1


def samples_needed(percent: float) -> int:
    """Fewest samples with which `percentile_estimate` gives a value."""
    count = 2
    while _allowed_above(count, 1 - percent / 100) < 1:
        count += 1
    return count
