from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fer_edge.engine.errors import BadInput
from fer_edge.engine.scheduler import (
    AUTO_LEAST,
    AUTO_MOST,
    DOUBT_EVERY,
    LEAST_CONFIDENCE,
    MAX_DRIFT,
    Schedule,
    Situation,
)


def detected_in(schedule: Schedule, frames: int, **state: object) -> list[int]:
    """The frames of a video that are detected in while its state stays the same."""
    since, detected = None, []
    for frame in range(frames):
        since = None if since is None else since + 1
        if schedule.should_detect(Situation(since, **state)):  # type: ignore[arg-type]
            detected.append(frame)
            since = 0
    return detected


@given(st.integers(1, 50), st.integers(1, 200))
def test_a_followed_face_is_detected_every_n_frames(every: int, frames: int) -> None:
    assert detected_in(Schedule(every), frames, faces=1) == list(range(0, frames, every))


@pytest.mark.parametrize(
    "trouble", [{"faces": 0}, {"lost": True}, {"cut": True}, {"unconfirmed": True}]
)
@given(every=st.one_of(st.integers(1, 50), st.just("auto")), since=st.integers(1, 60))
def test_trouble_calls_for_detection_at_once(trouble: dict[str, object], every, since: int) -> None:
    assert Schedule(every).should_detect(Situation(since, **{"faces": 1, **trouble}))  # type: ignore[arg-type]


@given(st.integers(1, 50), st.floats(0, 1))
def test_doubt_calls_for_earlier_detection_and_not_for_one_a_frame(every: int, sure: float) -> None:
    expected = min(every, DOUBT_EVERY) if sure < LEAST_CONFIDENCE else every
    detected = detected_in(Schedule(every), 200, faces=2, confidence=sure)
    assert detected == list(range(0, 200, expected))


@given(st.floats(0.0002, 0.1))
def test_auto_finds_the_interval_in_which_boxes_drift_by_the_bound(drift_a_frame: float) -> None:
    schedule = Schedule("auto")
    assert schedule.interval == AUTO_LEAST
    for _ in range(30):
        frames = schedule.interval
        schedule.observe(min(1.0, drift_a_frame * frames), frames)
    ideal = min(max(MAX_DRIFT / drift_a_frame, AUTO_LEAST), AUTO_MOST)
    assert schedule.interval == pytest.approx(ideal, abs=1)
    assert drift_a_frame * schedule.interval <= MAX_DRIFT * 1.01 or schedule.interval == AUTO_LEAST


@given(st.lists(st.tuples(st.floats(0, 1), st.integers(1, 100)), max_size=20))
def test_auto_stays_between_its_bounds(seen: list[tuple[float, int]]) -> None:
    schedule = Schedule("auto")
    for drift, frames in seen:
        schedule.observe(drift, frames)
        assert AUTO_LEAST <= schedule.interval <= AUTO_MOST


def test_auto_comes_back_soon_when_a_still_face_begins_to_move() -> None:
    schedule = Schedule("auto")
    for _ in range(10):
        schedule.observe(0.01, schedule.interval)
    assert schedule.interval == AUTO_MOST
    schedule.observe(0.6, schedule.interval)
    assert schedule.interval < AUTO_MOST / 2


@given(st.floats(0, 1), st.integers(1, 100))
def test_a_fixed_interval_knows_no_drift(drift: float, frames: int) -> None:
    schedule = Schedule(7)
    schedule.observe(drift, frames)
    assert schedule.interval == 7


def test_an_interval_below_one_is_refused() -> None:
    with pytest.raises(BadInput, match="1 or more, or auto"):
        Schedule(0)
