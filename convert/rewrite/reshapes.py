"""Reshapes that change nothing, whose result is reshaped again, or whose target is computed.

Converters write a Transpose of a 1x1 map as a Reshape; between convolution and batch
normalisation it hides one from the other. And where only the batch is open they compute
each target from shapes while the network runs.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from .editing import Array, add_constant, array_of, attribute, bypass, drop_unused


def drop_reshapes(graph: Any) -> int:
    """Remove such Reshapes until none is left; returns how many went."""
    dropped = 0
    moved = True
    while moved:
        moved = False
        for node in list(graph):
            if node.graph is None or node.op_type != "Reshape":
                continue
            target = array_of(node.inputs[1])
            if target is None or attribute(node, "allowzero", 0):
                continue
            moved = _merge(graph, node, target) or moved
            if _is_identity(node.inputs[0].shape, target) and bypass(graph, node, node.inputs[0]):
                dropped += 1
                moved = True
    return dropped


def fix_reshapes(graph: Any) -> int:
    """Give Reshapes a constant target where shape inference knows all axes but one.

    Returns how many there were; what computed their targets is left without users.
    """
    fixed = 0
    for node in graph:
        if node.op_type != "Reshape" or array_of(node.inputs[1]) is not None:
            continue
        shape = node.outputs[0].shape
        if shape is None:
            continue
        target = [axis if isinstance(axis, int) else -1 for axis in shape]
        if target.count(-1) <= 1 and 0 not in target:
            constant = add_constant(graph, f"{node.name}_target", np.array(target, np.int64))
            node.replace_input_with(1, constant)
            fixed += 1
    return fixed


def _merge(graph: Any, node: Any, target: Array) -> bool:
    """Take what an earlier Reshape took: the last one decides the shape."""
    earlier = node.inputs[0].producer()
    if earlier is None or earlier.op_type != "Reshape" or (target == 0).any():
        return False
    node.replace_input_with(0, earlier.inputs[0])
    drop_unused(graph, earlier)
    return True


def _is_identity(shape: Any, target: Array) -> bool:
    if shape is None or len(shape) != len(target):
        return False
    # At most one axis may be unknown: the others being equal, it is equal too.
    unknown = [i for i, t in enumerate(target) if t == -1 or not isinstance(shape[i], int)]
    known = [i for i in range(len(target)) if i not in unknown and target[i] != 0]
    free = [i for i in unknown if target[i] != 0]
    return len(free) <= 1 and all(shape[i] == target[i] for i in known)
