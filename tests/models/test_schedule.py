from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from fer_edge.models.keras_backend import import_keras

keras = import_keras()

from fer_edge.models.schedule import LearningRate, rate_at, same_until  # noqa: E402

from .tiny_faces import TINY  # noqa: E402

RUN = replace(TINY, epochs=10, warmup_epochs=2.0, peak_learning_rate=0.1)


def test_a_cosine_rises_and_falls_to_nothing() -> None:
    rates = [rate_at(RUN, e) for e in np.linspace(0, 10, 101)]
    assert rates[0] == 0
    assert max(rates) == pytest.approx(rates[20]) == pytest.approx(0.1)
    assert rates[60] == pytest.approx(0.05)
    assert rates[-1] == pytest.approx(0, abs=1e-9)


def test_a_constant_rate_cools_down_in_a_line() -> None:
    run = replace(RUN, decay="constant", cooldown_epochs=4)
    rates = [rate_at(run, e) for e in (2, 5, 6, 7, 8, 9, 10)]
    assert rates == pytest.approx([0.1, 0.1, 0.1, 0.075, 0.05, 0.025, 0])


def test_after_a_restart_the_rate_is_back_at_its_peak() -> None:
    run = replace(RUN, decay="constant", restarts=[[4, 2], [6, 0]], cooldown_epochs=2)
    rates = [rate_at(run, e) for e in (1, 2, 3, 3.5, 4, 5.9, 6, 8, 9, 10)]
    assert rates == pytest.approx([0.05, 0.1, 0.05, 0.025, 0.1, 0.1, 0.1, 0.1, 0.05, 0])


@given(
    epochs=st.integers(4, 12),
    cooldown=st.integers(0, 4),
    restarts=st.sampled_from([[], [[2, 1]], [[3, 0]], [[2, 1], [4, 1]]]),
)
def test_runs_are_the_same_until_their_rates_part(
    epochs: int, cooldown: int, restarts: list[list[int]]
) -> None:
    one = replace(RUN, decay="constant", epochs=14)
    assume(all(end <= epochs - cooldown for end, _ in restarts))
    other = replace(one, epochs=epochs, cooldown_epochs=cooldown, restarts=restarts)
    cooling = [(epochs, cooldown), *restarts]
    part = min((end - length for end, length in cooling if length), default=None)
    if part is None:
        assert same_until(one, other, 14)
    else:
        assert same_until(one, other, part)
        assert not same_until(one, other, part + 1)


@given(
    share=st.floats(0, 1), warmup=st.just(0.0) | st.floats(0.01, 3), cooldown=st.integers(0, 10),
    decay=st.sampled_from(["cosine", "constant"]), restarted=st.booleans(),
)  # fmt: skip
def test_the_optimizer_sees_the_same_rate(
    share: float, warmup: float, cooldown: int, decay: str, restarted: bool
) -> None:
    restarts = [[5, 2]] if restarted and cooldown <= 5 else []
    run = replace(
        RUN, warmup_epochs=warmup, cooldown_epochs=cooldown, decay=decay, restarts=restarts
    )
    step = round(share * 10 * 37)
    rate = float(keras.ops.convert_to_numpy(LearningRate(run, 37)(step)))
    assert rate == pytest.approx(float(rate_at(run, step / 37)), abs=1e-6)
    assert 0 <= rate <= 0.1 + 1e-6
