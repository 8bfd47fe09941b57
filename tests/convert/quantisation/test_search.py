from __future__ import annotations

from collections.abc import Collection

from hypothesis import given
from hypothesis import strategies as st

from fer_edge.convert.quantisation.search import layers_to_keep

COSTS = st.lists(st.floats(0, 1), min_size=1, max_size=40)


@given(COSTS)
def test_what_is_left_fits_and_no_layer_fewer_would_do(costs: list[float]) -> None:
    names = [f"layer_{index}" for index in range(len(costs))]
    of = dict(zip(names, costs, strict=True))

    def excess(layers: Collection[str]) -> float:
        return sum(of[name] for name in layers)

    kept = layers_to_keep(dict.fromkeys(names, 100), excess, excess)
    left = [name for name in names if name not in kept]
    assert excess(left) <= 1
    if kept:
        assert excess([*left, kept[-1]]) > 1
        assert min(of[name] for name in kept) >= max((of[name] for name in left), default=0)


def test_of_two_that_cost_alike_the_smaller_stays_out() -> None:
    costs = {"large": 0.8, "harmless": 0.1, "small": 0.8}

    def excess(layers: Collection[str]) -> float:
        return sum(costs[name] for name in layers)

    assert layers_to_keep({"large": 1000, "harmless": 1, "small": 10}, excess, excess) == ("small",)


def test_a_network_that_fits_is_asked_once() -> None:
    asked = []

    def excess(layers: Collection[str]) -> float:
        asked.append(layers)
        return 1.0

    assert layers_to_keep({"a": 1, "b": 1}, excess, excess) == ()
    assert len(asked) == 1
