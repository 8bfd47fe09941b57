from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fer_edge.engine import timing
from fer_edge.engine.timing import FrameClock


@given(st.lists(st.floats(1e-4, 0.5), min_size=1, max_size=60), st.integers(1, 80))
def test_fps_is_frames_over_elapsed_time(steps: list[float], capacity: int) -> None:
    now = 100.0
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(timing, "perf_counter", lambda: now)
        clock = FrameClock(capacity=capacity, started_s=now)
        for step in steps:
            now += step
            assert clock.tick() == pytest.approx(step)
    assert clock.elapsed_s == pytest.approx(sum(steps))
    assert clock.fps == pytest.approx(len(steps) / sum(steps))
    recent = steps[-capacity:]
    assert clock.percentile_s(50) == pytest.approx(np.percentile(recent, 50), rel=1e-3)
    assert clock.percentile_s(100) == pytest.approx(max(recent), rel=1e-3)


def test_a_run_without_frames_has_no_percentiles() -> None:
    summary = FrameClock().summary(captured=0, dropped=0, faces=0)
    assert summary.fps == 0
    assert math.isnan(summary.p50_s)
