from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fer_edge.models.keras_backend import import_keras
from fer_edge.models.temperature import fit_temperature, fold_temperature

keras = import_keras()


def probabilities(logits: np.ndarray) -> np.ndarray:
    powers = np.exp(logits - logits.max(1, keepdims=True))
    return (powers / powers.sum(1, keepdims=True)).astype(np.float32)


@settings(max_examples=20)
@given(sureness=st.floats(0.4, 4), seed=st.integers(0, 99))
def test_the_temperature_that_made_them_too_sure_is_found(sureness: float, seed: int) -> None:
    rng = np.random.default_rng(seed)
    logits = rng.normal(0, 1.5, (6000, 5))
    # One of the classes each, as likely as it is probable.
    labels = (probabilities(logits).cumsum(1) < rng.random((len(logits), 1))).sum(1).clip(0, 4)
    found = fit_temperature(probabilities(logits * sureness), labels)
    assert found == pytest.approx(sureness, rel=0.12)


def test_a_folded_temperature_divides_what_the_layer_gives() -> None:
    layer = keras.layers.Dense(3, bias_initializer="ones")
    seen = np.random.default_rng(0).normal(size=(4, 6)).astype(np.float32)
    before = np.array(layer(seen))
    fold_temperature(layer, 2.5)
    np.testing.assert_allclose(np.array(layer(seen)), before / 2.5, rtol=1e-5)
