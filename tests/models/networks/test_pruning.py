from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fer_edge.engine.errors import BadInput
from fer_edge.models.keras_backend import import_keras

keras = import_keras()

from fer_edge.models.networks import build_network, pruning  # noqa: E402
from fer_edge.models.networks.initial import named_variables  # noqa: E402
from fer_edge.models.networks.pruning import is_narrower, most_useful, take_pruned  # noqa: E402
from fer_edge.models.normalisation import Normalisations  # noqa: E402

NARROW, WIDE = [4] * 13, [8] * 13
IMAGES = np.random.default_rng(0).integers(0, 256, (40, 48, 48), np.uint8)


def mobilenet(widths: list[int], features: int) -> Any:
    options = {"resolution": 48, "widths": widths, "features": features}
    return build_network("mobilenet", 3, options)


def answers(network: Any) -> np.ndarray:
    rows = network(IMAGES[..., None].astype(np.float32), training=False)
    return np.asarray(keras.ops.convert_to_numpy(rows))


def doubled(narrow: Any) -> Any:
    """A network twice as wide that answers alike: each channel twice, each weight halved."""
    wide = mobilenet(WIDE, 8)
    known = named_variables(narrow)
    for name, variable in named_variables(wide).items():
        array = np.asarray(keras.ops.convert_to_numpy(known[name]))
        layer = name.split("/")[0]
        if layer == "logits":
            array = array if name.endswith("bias") else np.repeat(array, 2, axis=0) / 2
        elif layer.endswith("depthwise"):
            array = np.repeat(array, 2, axis=2)
        else:
            array = np.repeat(array, 2, axis=-1)
            if layer.endswith("pointwise"):
                array = np.repeat(array, 2, axis=2) / 2
        variable.assign(array)
    return wide


def lively(network: Any) -> Any:
    """Random factors in place of the ones and zeros of a fresh network, and fitting statistics."""
    rng = np.random.default_rng(0)
    for name, variable in named_variables(network).items():
        if name.endswith("_norm/beta"):
            variable.assign(rng.uniform(0.2, 0.8, variable.shape))
        if name.endswith(("_norm/gamma", "logits/kernel")):
            variable.assign(rng.uniform(0.5, 1.5, variable.shape))
    Normalisations(network).refresh(IMAGES)
    return network


def test_channels_that_say_the_same_twice_are_left_out_for_nothing(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    # Damping holds the weights of the one that is left a little below twice what they were.
    monkeypatch.setattr(pruning, "DAMPING", 1e-6)
    narrow = lively(mobilenet(NARROW, 4))
    wide = doubled(narrow)
    np.testing.assert_allclose(answers(wide), answers(narrow), atol=1e-5)
    pruned = mobilenet(NARROW, 4)
    take_pruned(pruned, wide, IMAGES)
    np.testing.assert_allclose(answers(pruned), answers(wide), atol=2e-4)
    assert answers(wide).std(axis=0).max() > 0.02


@given(st.integers(0, 1000), st.integers(2, 6), st.integers(1, 3))
def test_the_first_to_go_is_the_one_whose_loss_is_least(
    seed: int, inputs: int, outputs: int
) -> None:
    rng = np.random.default_rng(seed)
    seen = rng.normal(0, 1, (50, inputs)) @ rng.normal(0, 1, (inputs, inputs))
    covariance = seen.T @ seen / 50 + 1e-3 * np.eye(inputs)
    weights = rng.normal(0, 1, (inputs, outputs))

    def loss(kept: list[int]) -> float:
        refitted = np.linalg.solve(covariance[np.ix_(kept, kept)], covariance[kept] @ weights)
        change = weights.copy()
        change[kept] -= refitted
        return float(np.trace(change.T @ covariance @ change))

    others = [[i for i in range(inputs) if i != gone] for gone in range(inputs)]
    kept = most_useful(covariance, weights, inputs - 1)
    assert loss(list(kept)) == pytest.approx(min(map(loss, others)), rel=1e-6)
    for count in range(1, inputs + 1):
        kept = most_useful(covariance, weights, count)
        assert len(set(kept)) == count
        assert list(kept) == sorted(kept)


def test_only_a_mobilenet_with_fewer_filters_is_narrower() -> None:
    narrow, wide = mobilenet(NARROW, 4), mobilenet(WIDE, 4)
    assert is_narrower(narrow, wide)
    assert not is_narrower(wide, narrow)
    assert not is_narrower(narrow, narrow)
    small, large = (
        build_network("residual", 3, {"widths": [w] * 4, "blocks": [1] * 4}) for w in (4, 8)
    )
    assert not is_narrower(small, large)


def test_mobilenet_wants_as_many_widths_as_it_has() -> None:
    with pytest.raises(BadInput, match="3 widths; MobileNet has 13"):
        mobilenet([8, 8, 8], 8)
