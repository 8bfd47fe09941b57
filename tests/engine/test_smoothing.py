from __future__ import annotations

from math import exp

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fer_edge.engine.errors import BadInput
from fer_edge.engine.smoothing import ExpressionSmoother

HAPPY, SAD = np.array([[1, 0]], np.float32), np.array([[0, 1]], np.float32)


@given(st.integers(5, 120), st.floats(0.05, 2.0))
def test_what_is_a_time_constant_old_counts_1_over_e_at_every_frame_rate(
    fps: int, constant_s: float
) -> None:
    smoother = ExpressionSmoother(constant_s)
    smoother([1], HAPPY, 0.0)
    frames = max(1, round(constant_s * fps))
    for frame in range(1, frames + 1):
        mixed = smoother([1], SAD, frame / fps)
    assert mixed[0, 0] == pytest.approx(exp(-frames / fps / constant_s), abs=1e-4)
    assert mixed.sum() == pytest.approx(1, abs=1e-5)


def test_zero_changes_nothing() -> None:
    smoother = ExpressionSmoother(0.0)
    smoother([1], HAPPY, 0.0)
    np.testing.assert_array_equal(smoother([1], SAD, 0.001), SAD)


def test_every_id_has_its_own_past_whatever_the_order() -> None:
    smoother = ExpressionSmoother(1.0)
    smoother([1, 2], np.concatenate([HAPPY, SAD]), 0.0)
    np.testing.assert_allclose(
        smoother([2, 1], np.concatenate([SAD, HAPPY]), 0.1), np.concatenate([SAD, HAPPY])
    )
    np.testing.assert_allclose(smoother([3], SAD, 0.1), SAD)


def test_a_face_that_was_long_away_begins_anew_and_is_not_kept() -> None:
    smoother = ExpressionSmoother(0.1)
    for id_ in range(1000):
        smoother([id_], HAPPY, float(id_))
    assert len(smoother._known) == 1
    np.testing.assert_array_equal(smoother([0], SAD, 1000.0), SAD)


def test_frames_without_faces_are_no_trouble() -> None:
    assert ExpressionSmoother(0.3)([], np.empty((0, 7), np.float32), 0.0).shape == (0, 7)


@pytest.mark.parametrize("wrong", [-0.1, float("inf"), float("nan")])
def test_a_senseless_time_constant_is_refused(wrong: float) -> None:
    with pytest.raises(BadInput, match="0 or more seconds"):
        ExpressionSmoother(wrong)
