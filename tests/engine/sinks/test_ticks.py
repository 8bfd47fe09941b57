from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from fer_edge.engine.sinks.ticks import LONGEST_GAP, LONGEST_STILL_S, EqualTicks, OwnTicks

STEPS = st.lists(st.floats(0, 20), max_size=30)
CLOCKS = st.sampled_from([1000, 90_000])


@given(STEPS, CLOCKS)
def test_every_picture_stands_at_its_own_time(steps: list[float], clock: int) -> None:
    ticks, time_s, last = OwnTicks(clock, 30), 0.0, -1
    for step in steps:
        time_s += step
        (at,) = ticks.of(time_s)
        # Pictures of one moment follow each other as closely as the clock lets them.
        assert at == max(round(time_s * clock), last + 1)
        last = at


@given(st.lists(st.floats(0, 1000), max_size=30), CLOCKS, st.floats(1, 240))
def test_a_source_that_begins_anew_goes_on(times: list[float], clock: int, fps: float) -> None:
    ticks = OwnTicks(clock, fps)
    given_ticks = [ticks.of(time_s)[0] for time_s in times]
    assert given_ticks == sorted(set(given_ticks))


def test_after_a_new_beginning_the_distances_stay() -> None:
    ticks = OwnTicks(1000, 10)
    assert [ticks.of(time_s)[0] for time_s in (0, 5, 0, 0.25, 6)] == [0, 5000, 5100, 5350, 11_100]


@given(st.lists(st.floats(0, LONGEST_STILL_S), max_size=30), st.floats(1, 60))
def test_equal_pictures_fill_the_time_between(steps: list[float], fps: float) -> None:
    ticks, time_s, filled = EqualTicks(fps), 0.0, []
    for step in steps:
        time_s += min(step, LONGEST_STILL_S - 1 / fps)
        filled += ticks.of(time_s)
    assert filled == list(range(len(filled)))
    assert len(filled) >= (round(time_s * fps) + 1 if steps else 0)


def test_a_long_pause_is_left_out_and_one_beyond_avi_is_cut() -> None:
    ticks = EqualTicks(10)
    assert ticks.of(0) == range(1)
    assert ticks.of(1000) == range(10_000, 10_001)
    assert ticks.of(1000 + LONGEST_GAP / 10 + 1) == range(10_001, 10_002)
    assert ticks.of(1000 + LONGEST_GAP / 10 + 1.2) == range(10_002, 10_004)
