from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fer_edge.engine.errors import BadInput
from fer_edge.engine.scheduler import Schedule


@given(st.integers(1, 50), st.integers(1, 200))
def test_a_followed_face_is_detected_every_n_frames(every: int, frames: int) -> None:
    schedule, since, detected = Schedule(every), None, []
    for frame in range(frames):
        if schedule.should_detect(since, faces=1, lost=False):
            detected.append(frame)
            since = 0
        else:
            since += 1  # type: ignore[operator]
    assert detected == list(range(0, frames, every))


@given(st.integers(1, 50), st.integers(0, 60), st.integers(0, 5))
def test_nothing_to_follow_or_a_lost_face_calls_for_detection(every: int, since: int, faces: int):
    schedule = Schedule(every)
    assert schedule.should_detect(None, faces, lost=False)
    assert schedule.should_detect(since, faces, lost=True)
    assert schedule.should_detect(since, 0, lost=False)


def test_an_interval_below_one_is_refused() -> None:
    with pytest.raises(BadInput, match="1 or more"):
        Schedule(0)
