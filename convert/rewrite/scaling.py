"""The scaling at the beginning of a network, peeled off into the model's facts.

The runtime scales pixels anyway; on the GPU it costs nothing there.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from .editing import Array, array_of, bypass, only_user


def peel_input_scaling(graph: Any, channels: int) -> tuple[list[float], list[float]] | None:
    """Remove leading factors and offsets from the one input of a network.

    Args:
        graph: with one input, `(n, channels, h, w)`.
        channels: of the input.

    Returns:
        (mean, scale), a value a channel, so that what was removed is
        `(x - mean) * scale`; None where there was nothing.
    """
    source = graph.inputs[0]
    factor, offset = np.ones(channels), np.zeros(channels)
    peeled = False
    while (node := only_user(source)) is not None:
        change = _step(node, source, channels)
        # A factor of zero has no mean to stand for it: the node stays.
        if change is None or (change[0] == 0).any() or not bypass(graph, node, source):
            break
        factor, offset = factor * change[0], offset * change[0] + change[1]
        peeled = True
    if not peeled:
        return None
    return (-offset / factor).tolist(), factor.tolist()


def _step(node: Any, source: Any, channels: int) -> tuple[Array, Array] | None:
    if node.op_type not in ("Add", "Sub", "Mul", "Div") or len(node.inputs) != 2:
        return None
    first = node.inputs[0] is source
    array = array_of(node.inputs[1 if first else 0])
    if array is None or (array.size != 1 and array.shape not in _shapes(channels)):
        return None
    other = np.broadcast_to(array.ravel().astype(np.float64), channels)
    one, zero = np.ones(channels), np.zeros(channels)
    if node.op_type == "Add":
        return one, other
    if node.op_type == "Mul":
        return other, zero
    if not first:
        return None
    if node.op_type == "Sub":
        return one, -other
    return (1 / other, zero) if (other != 0).all() else None


def _shapes(channels: int) -> tuple[tuple[int, ...], ...]:
    return ((channels, 1, 1), (1, channels, 1, 1))
