from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from fer_edge.convert.quantisation.layers import (
    activation_in_int8,
    activation_step,
    int8_layer,
    weights_in_int8,
)
from fer_edge.convert.quantisation.observe import Spread, convolutions, observe

from .networks import INPUTS, mobile

WEIGHTS = arrays.arrays(
    np.float32, (3, 2, 3, 3), elements=st.floats(-4, 4, width=32, allow_subnormal=False)
)


@given(WEIGHTS)
def test_weights_are_off_less_than_with_a_range_of_all(weights: np.ndarray) -> None:
    quantised, scales = weights_in_int8(weights)
    assert quantised.dtype == np.int8
    assert np.abs(quantised.astype(int)).max() <= 63
    assert scales.dtype == np.float32
    assert (scales > 0).all()
    rows = weights.reshape(3, -1)
    steps = np.maximum(np.abs(rows).max(axis=1, keepdims=True), 1e-12) / 63
    plain = np.square(np.rint(rows / steps) * steps - rows).sum(axis=1)
    found = np.square(quantised.reshape(3, -1) * scales[:, None] - rows).sum(axis=1)
    assert (found <= plain + 1e-6).all()


def test_rare_large_values_do_not_set_the_range() -> None:
    values = np.random.default_rng(0).normal(0, 1, (1, 400_000)).astype(np.float32)
    tame = Spread(values, np.abs(values).max(axis=1), values.mean(axis=1), (8, 8))
    values = values.copy()
    values[0, 0] = 12
    wild = Spread(values, np.float32([12]), values.mean(axis=1), (8, 8))
    assert activation_step(wild) < 12 / 127 / 1.5
    assert activation_step(tame) > 2 / 127


def test_a_step_holds_values_to_half_of_it() -> None:
    values = np.linspace(-1, 1, 201, dtype=np.float32)
    np.testing.assert_allclose(activation_in_int8(values, 1 / 127), values, atol=0.5 / 127 + 1e-6)
    assert activation_in_int8(np.float32([5]), 1 / 127)[0] == np.float32(1)


def test_the_bias_takes_back_what_rounding_moves() -> None:
    model = mobile("Relu")
    spreads = observe(model, INPUTS)
    for node in convolutions(model):
        spread = spreads[node.inputs[0].name]
        layer = int8_layer(node, spread, 4 * activation_step(spread))
        weights = node.inputs[1].const_value.numpy()
        given_bias = node.inputs[2].const_value.numpy() if len(node.inputs) > 2 else 0
        groups = len(weights) if weights.shape[1] == 1 and len(weights) == 8 else 1
        before = centre(weights, spread.samples, groups).mean(axis=1) + given_bias
        rounded = activation_in_int8(spread.samples, layer.step)
        whole = layer.weights * layer.scales[:, None, None, None]
        after = centre(whole, rounded, groups).mean(axis=1)
        uncorrected = np.abs(after + given_bias - before).max()
        assert np.abs(after + layer.bias - before).max() < max(uncorrected, 1e-5)


def centre(weights: np.ndarray, samples: np.ndarray, groups: int) -> np.ndarray:
    """Of flat pictures: every place of the kernel sees the same value."""
    kernel = weights.sum(axis=(2, 3))
    return kernel * samples if groups > 1 else kernel @ samples


def test_two_products_of_bytes_fit_16_bits() -> None:
    quantised, _ = weights_in_int8(np.ones((1, 2, 1, 1), np.float32))
    assert 255 * int(quantised.astype(int).sum()) <= np.iinfo(np.int16).max
