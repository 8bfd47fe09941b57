"""What an exporter fixed to one size of the picture, written so that any size will do.

An export of PyTorch carries the size of the picture it was traced with: in the targets of
Reshapes that lay maps down as rows, and in the sizes to which a Resize enlarges a map. Both
follow from the maps that come in.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from .editing import add_constant, array_of, attribute

# A Resize by a whole factor takes the same pixels under each of these.
_BLOCKS = {
    ("asymmetric", "floor"),
    ("half_pixel", "round_prefer_floor"),
    ("half_pixel", "round_prefer_ceil"),
    ("pytorch_half_pixel", "round_prefer_floor"),
    ("pytorch_half_pixel", "round_prefer_ceil"),
}


def free_rows(graph: Any) -> int:
    """Let the middle axis of constant targets `(1, n, c)` follow from the input; returns how many.

    Where all three are given it is what the others leave.
    """
    freed = 0
    for node in graph:
        target = array_of(node.inputs[1]) if node.op_type == "Reshape" else None
        if target is None or len(target) != 3 or attribute(node, "allowzero", 0):
            continue
        if target[0] != 1 or (target < 1).any():
            continue
        open_target = np.array([1, -1, target[2]], np.int64)
        constant = add_constant(graph, f"{node.inputs[1].name}_open", open_target)
        node.replace_input_with(1, constant)
        freed += 1
    return freed


def scale_resizes(graph: Any) -> int:
    """Give nearest Resizes to a multiple of a map's size constant scales; returns how many.

    The shapes before and after must be known. What computed the sizes is left without users.
    """
    scaled = 0
    for node in graph:
        if node.op_type != "Resize" or len(node.inputs) < 4 or node.inputs[3] is None:
            continue
        scales = _whole_factors(node)
        if scales is None:
            continue
        region = node.inputs[1]
        name = f"{node.outputs[0].name}_scales"
        node.resize_inputs(3)
        node.replace_input_with(1, region)
        node.replace_input_with(2, add_constant(graph, name, scales))
        scaled += 1
    return scaled


def _whole_factors(node: Any) -> Any:
    """float32 `(rank,)`, or None where they are no whole numbers."""
    before, after = node.inputs[0].shape, node.outputs[0].shape
    rule = (
        attribute(node, "coordinate_transformation_mode", "half_pixel"),
        attribute(node, "nearest_mode", "round_prefer_floor"),
    )
    if attribute(node, "mode", "nearest") != "nearest" or rule not in _BLOCKS:
        return None
    if attribute(node, "axes") is not None or before is None or after is None:
        return None
    lengths = list(zip(before, after, strict=True))
    if not all(isinstance(x, int) and isinstance(y, int) and x > 0 for x, y in lengths):
        return None
    if any(y % x for x, y in lengths):
        return None
    return np.array([y // x for x, y in lengths], np.float32)
