"""Bring the channels of a tensor to like ranges, without changing what the network computes.

One scale a tensor wastes the steps of int8 on channels much weaker than the strongest one. What
a convolution makes of a channel may be divided by any positive number, through a ReLU, if those
who take it multiply by it (Nagel et al., arXiv 1906.04721). A depthwise convolution, which has
a scale a channel, takes it for nothing; another one shares it between its weights and its input
(Xiao et al., arXiv 2211.10438). Behind ReLU6 a channel can only grow as far as what was seen of
it stays below 6: beyond that it is cut off, as int8 would do.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import onnx_ir as ir

from fer_edge.engine.types import Floats

from ..rewrite.editing import add_constant, array_of, attribute, only_user
from .observe import Spread, convolutions, weights_of

# Of the weights against the activations, where both share the factor.
_SHARE = 0.5
_LARGEST_FACTOR = 16.0
# Above the largest value seen.
_MARGIN = 1.25
_HOMOGENEOUS = frozenset({"Relu", "LeakyRelu", "PRelu"})


@dataclass(frozen=True)
class _Link:
    """A convolution, the convolutions that alone take its output, and the bound in between.

    Attributes:
        source: the convolution.
        value: what the takers take: its output, or that of the activation behind it.
        bound: the most that the activation lets through; infinity without one.
        takers: convolutions, each of whose inputs is `value`.
    """

    source: ir.Node
    value: ir.Value
    bound: float
    takers: tuple[ir.Node, ...]


def equalise(model: Any, spreads: Mapping[str, Spread]) -> dict[str, Spread]:
    """Scale channels in place; returns the spreads as they are then.

    Args:
        model: an `onnx_ir.Model` in float32.
        spreads: of the inputs of its convolutions, by name.
    """
    result = dict(spreads)
    for node in convolutions(model):
        link = _link(node)
        if link is None:
            continue
        factors = _factors(link, spreads[link.value.name])
        _scale(model.graph, link, factors)
        result[link.value.name] = spreads[link.value.name].divided(factors)
    return result


def _link(node: ir.Node) -> _Link | None:
    value, bound = node.outputs[0], float("inf")
    user = only_user(value)
    if user is not None and user.op_type in _HOMOGENEOUS:
        value = user.outputs[0]
    elif user is not None and user.op_type == "Clip":
        ends = [end for end in map(array_of, user.inputs[1:3]) if end is not None]
        if len(ends) != 2 or float(ends[0]) != 0:
            return None
        value, bound = user.outputs[0], float(ends[1])
    takers = tuple(use.node for use in value.uses())
    fed = all(taker.op_type == "Conv" and taker.inputs[0] is value for taker in takers)
    if not takers or not fed or value.is_graph_output():
        return None
    if any(array_of(found.inputs[1]) is None for found in (node, *takers)):
        return None
    return _Link(node, value, bound, takers)


def _factors(link: _Link, spread: Spread) -> Floats:
    """What each channel is divided by, at most 1."""
    peak = np.maximum(spread.peak / max(float(spread.peak.max()), 1e-20), 1e-6)
    columns = [_columns(taker) for taker in link.takers if attribute(taker, "group", 1) == 1]
    if columns:
        weight = np.maximum(np.max([column / column.max() for column in columns], axis=0), 1e-6)
        factors = peak ** (1 - _SHARE) / weight**_SHARE
    else:
        factors = peak
    if np.isfinite(link.bound):
        # None may shrink: the bound would let more through than before.
        factors = np.maximum(factors, _MARGIN * spread.peak / link.bound)
    else:
        factors = factors / factors.max()
    factors = np.clip(factors, 1 / _LARGEST_FACTOR, 1)
    # A channel that was never seen to speak keeps its voice.
    factors[spread.peak <= 0] = 1
    return factors.astype(np.float32)


def _columns(taker: ir.Node) -> Floats:
    """The largest weight of each input channel, at least tiny."""
    weights = weights_of(taker)
    return np.maximum(np.abs(weights).max(axis=(0, 2, 3)), 1e-20)


def _scale(graph: ir.Graph, link: _Link, factors: Floats) -> None:
    node = link.source
    _replace(graph, node, 1, weights_of(node) / factors[:, None, None, None])
    if len(node.inputs) > 2 and node.inputs[2] is not None:
        _replace(graph, node, 2, weights_of(node, 2) / factors)
    for taker in link.takers:
        weights = weights_of(taker)
        groups = attribute(taker, "group", 1)
        # Group g of the outputs takes inputs g * width to (g + 1) * width.
        rows = factors.reshape(groups, 1, weights.shape[1], 1, 1)
        scaled = weights.reshape(groups, -1, *weights.shape[1:]) * rows
        _replace(graph, taker, 1, scaled.reshape(weights.shape))


def _replace(graph: ir.Graph, node: ir.Node, index: int, array: Any) -> None:
    name = node.inputs[index].name
    node.replace_input_with(index, add_constant(graph, name, np.asarray(array, np.float32)))
