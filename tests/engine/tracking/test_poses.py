from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fer_edge.engine.tracking.poses import Pose

numbers = st.floats(-100, 100)
poses = st.builds(Pose, numbers, numbers, st.floats(0.1, 10), st.floats(-4, 4))


@given(poses, numbers, numbers)
def test_there_and_back(pose: Pose, across: float, down: float) -> None:
    there = pose.to_frame(across, down)
    assert pose.to_template(*there) == pytest.approx((across, down), abs=1e-6)


@given(poses, numbers, numbers, st.floats(-0.1, 0.1), st.floats(-0.2, 0.2))
def test_a_step_moves_the_centre_and_then_grows_and_turns(
    pose: Pose, across: float, down: float, growth: float, turn: float
) -> None:
    moved = pose.moved(across, down, growth, turn)
    assert moved.to_frame(0, 0) == pytest.approx(pose.to_frame(across, down), abs=1e-6)
    assert moved.scale == pytest.approx(pose.scale * (1 + growth))
    assert moved.angle == pytest.approx(pose.angle + turn)


def test_angles_turn_clockwise_in_the_picture() -> None:
    quarter = Pose(10, 20, 2, 3.14159265 / 2)
    assert quarter.to_frame(1, 0) == pytest.approx((10, 22), abs=1e-5)
