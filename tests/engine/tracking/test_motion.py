from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fer_edge.engine.tracking.motion import MEAN_S, Motion

SPEEDS = st.floats(-500, 500)


@given(SPEEDS, SPEEDS, st.sampled_from([1 / 60, 1 / 30, 1 / 15]), st.floats(0, 2))
def test_even_motion_is_known_after_some_time_constants_and_expected_to_go_on(
    across: float, down: float, step_s: float, gap_s: float
) -> None:
    motion = Motion((10.0, 20.0, 50.0, 60.0), 0.0)
    for frame in range(1, round(12 * MEAN_S / step_s)):
        time_s = frame * step_s
        motion = motion.followed((10 + across * time_s, 20 + down * time_s, 50.0, 60.0), time_s)
    assert motion.velocity == pytest.approx((across, down), abs=0.01)
    x, y, w, h = motion.expected(motion.time_s + gap_s)
    assert (w, h) == (50.0, 60.0)
    assert x == pytest.approx(10 + across * (motion.time_s + gap_s), abs=0.05)
    assert y == pytest.approx(20 + down * (motion.time_s + gap_s), abs=0.05)


@pytest.mark.parametrize("fps", [15, 30, 60])
def test_the_mean_does_not_depend_on_the_frame_rate(fps: int) -> None:
    motion = Motion((0.0, 0.0, 50.0, 50.0), 0.0)
    for frame in range(1, round(MEAN_S * fps) + 1):
        motion = motion.followed((100 * frame / fps, 0.0, 50.0, 50.0), frame / fps)
    assert motion.velocity[0] == pytest.approx(100 * (1 - 2.71828**-1), rel=0.001)


def test_growing_in_its_place_is_no_motion() -> None:
    motion = Motion((100.0, 100.0, 50.0, 50.0), 0.0).followed((90.0, 90.0, 70.0, 70.0), 0.1)
    assert motion.velocity == (0.0, 0.0)


def test_a_correction_and_a_frame_of_the_same_time_change_the_place_alone() -> None:
    motion = Motion((0.0, 0.0, 50.0, 50.0), 0.0).followed((10.0, 0.0, 50.0, 50.0), 0.1)
    box = (30.0, 30.0, 40.0, 40.0)
    assert motion.seen(box, 0.2) == Motion(box, 0.2, motion.velocity)
    assert motion.followed(box, 0.1) == Motion(box, 0.1, motion.velocity)
