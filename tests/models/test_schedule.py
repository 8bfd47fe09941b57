from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fer_edge.models.keras_backend import import_keras

keras = import_keras()

from fer_edge.models.schedule import LearningRate, rate_at  # noqa: E402

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


@given(
    share=st.floats(0, 1), warmup=st.just(0.0) | st.floats(0.01, 3), cooldown=st.integers(0, 10),
    decay=st.sampled_from(["cosine", "constant"]),
)  # fmt: skip
def test_the_optimizer_sees_the_same_rate(
    share: float, warmup: float, cooldown: int, decay: str
) -> None:
    run = replace(RUN, warmup_epochs=warmup, cooldown_epochs=cooldown, decay=decay)
    step = round(share * 10 * 37)
    rate = float(keras.ops.convert_to_numpy(LearningRate(run, 37)(step)))
    assert rate == pytest.approx(float(rate_at(run, step / 37)), abs=1e-6)
    assert 0 <= rate <= 0.1 + 1e-6
