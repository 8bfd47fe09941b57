from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fer_edge.engine.sources.times import NEW_CLOCK_S, PresentationTimes, plausible_fps

SECONDS = st.floats(-1e6, 1e6)


@given(SECONDS, st.lists(st.floats(0, 100), max_size=20))
def test_times_are_what_has_passed_since_the_first(zero: float, steps: list[float]) -> None:
    times, at = PresentationTimes(30), zero
    assert times.of(at) == 0
    for step in steps:
        at += step
        assert times.of(at) == at - zero


@given(st.lists(st.none() | SECONDS, max_size=30), st.floats(1, 240))
def test_times_never_go_back(shown: list[float | None], fps: float) -> None:
    times = PresentationTimes(fps)
    given_s = [times.of(at) for at in shown]
    assert given_s == sorted(given_s)


def test_a_frame_out_of_order_waits_for_nobody_and_a_new_clock_goes_on() -> None:
    times = PresentationTimes(10)
    assert [times.of(at) for at in (5, 5.1, 5.05, 5.2)] == [0, 5.1 - 5, 5.1 - 5, 5.2 - 5]
    again = times.of(5.2 - 2 * NEW_CLOCK_S)
    assert again == pytest.approx(0.3)
    assert times.of(5.7 - 2 * NEW_CLOCK_S) == pytest.approx(0.8)


def test_a_frame_without_a_time_follows_at_the_rate() -> None:
    times = PresentationTimes(10)
    assert [times.of(at) for at in (None, None, 0.5)] == [0, 0.1, 0.5]


def test_a_rate_that_no_camera_has_is_passed_over() -> None:
    assert plausible_fps(1000, None, 0, 29.97) == 29.97
    assert plausible_fps(90_000) == 30
