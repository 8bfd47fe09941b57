from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from fer_edge.convert.quantisation.equalise import equalise
from fer_edge.convert.quantisation.execution import open_session
from fer_edge.convert.quantisation.observe import multiplications, observe

from .networks import INPUTS, mobile


def outputs(model: Any) -> Any:
    session = open_session(model)
    return np.concatenate([session.run({"x": value})["y"] for value in INPUTS])


def unevenness(spreads: Any) -> dict[str, float]:
    """The strongest channel over the typical one."""
    return {name: float(s.peak.max() / np.median(s.peak)) for name, s in spreads.items()}


@pytest.mark.parametrize("activation", ["Relu", "Clip", "PRelu"])
@pytest.mark.parametrize("seed", range(4))
def test_channels_get_alike_and_the_answers_stay(activation: str, seed: int) -> None:
    model = mobile(activation, seed)
    before = outputs(model)
    spreads = observe(model, INPUTS)
    after = equalise(model, spreads)
    np.testing.assert_allclose(outputs(model), before, atol=1e-4)
    # What is said of the new network holds for it.
    for name, seen in observe(model, INPUTS).items():
        np.testing.assert_allclose(after[name].peak, seen.peak, rtol=1e-3, atol=1e-5)
        np.testing.assert_allclose(after[name].mean, seen.mean, rtol=1e-3, atol=1e-5)
    assert unevenness(after)["r1"] < unevenness(spreads)["r1"]


def test_nothing_seen_is_cut_off_at_a_bound() -> None:
    model = mobile("Clip", bound=6.0)
    after = equalise(model, observe(model, INPUTS))
    assert max(float(after[name].peak.max()) for name in ("r1", "r2")) <= 6


def test_a_layer_with_another_reader_is_left_alone() -> None:
    model = mobile("Relu")
    model.graph.outputs.append(value(model, "r1"))
    weights = model.graph.initializers["w1"].const_value.numpy()
    equalise(model, observe(model, INPUTS))
    (first,) = [n for n in model.graph if n.op_type == "Conv" and n.inputs[0].name == "x"]
    np.testing.assert_array_equal(first.inputs[1].const_value.numpy(), weights)


def value(model: Any, name: str) -> Any:
    return next(v for node in model.graph for v in node.outputs if v.name == name)


def test_multiplications_are_counted() -> None:
    model = mobile("Relu")
    spreads = observe(model, INPUTS)
    counts = [
        multiplications(node, spreads[node.inputs[0].name])
        for node in model.graph
        if node.op_type == "Conv"
    ]
    assert counts == [8 * 3 * 9 * 144, 8 * 9 * 144, 4 * 8 * 144]
