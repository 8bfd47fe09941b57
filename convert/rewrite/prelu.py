"""PReLU from the pieces TensorFlow writes it in (He et al., arXiv 1502.01852).

Keras computes `relu(x) - alpha * relu(-x)`; ONNX has it as one operator, which every
runtime fuses or at least reads once.
"""

from __future__ import annotations

from typing import Any

from .editing import Array, add_constant, array_of, replace


def restore_prelu(graph: Any) -> int:
    """Replace every such group by a PRelu; returns how many."""
    restored = 0
    for node in list(graph):
        found = _match(node) if node.graph is not None else None
        if found is None:
            continue
        source, slope = found
        if not _broadcasts(slope, source):
            continue
        constant = add_constant(graph, f"{node.name or 'prelu'}_slope", slope)
        replace(graph, node, "PRelu", [source, constant])
        restored += 1
    return restored


def _match(node: Any) -> tuple[Any, Array] | None:
    """(x, slope) if the node computes `relu(x) + c * relu(-x)` or `relu(x) - c * relu(-x)`."""
    if node.op_type not in ("Add", "Sub"):
        return None
    orders = [(0, 1)] if node.op_type == "Sub" else [(0, 1), (1, 0)]
    for first, second in orders:
        source = _relu_of(node.inputs[first])
        scaled = _scaled_negative_part(node.inputs[second])
        if source is not None and scaled is not None and scaled[0] is source:
            factor = scaled[1]
            return source, factor if node.op_type == "Sub" else -factor
    return None


def _broadcasts(slope: Array, source: Any) -> bool:
    """Whether the slope takes the shape of x; a PRelu never takes that of its slope."""
    if slope.size == 1:
        return source.shape is not None and slope.ndim <= len(source.shape)
    if source.shape is None or slope.ndim > len(source.shape):
        return False
    last = list(source.shape)[len(source.shape) - slope.ndim :]
    return all(own in (1, axis) for own, axis in zip(slope.shape, last, strict=True))


def _scaled_negative_part(value: Any) -> tuple[Any, Array] | None:
    """(x, c) if the value is `c * relu(-x)` with a constant c, its sign where it may be."""
    node = value.producer()
    if node is None:
        return None
    if node.op_type == "Neg":
        inner = _scaled_negative_part(node.inputs[0])
        return None if inner is None else (inner[0], -inner[1])
    if node.op_type != "Mul":
        return None
    for constant, other in (node.inputs, reversed(node.inputs)):
        factor = array_of(constant)
        if factor is None:
            continue
        negated = _relu_of(other)
        if negated is not None and (source := _negated(negated)) is not None:
            return source, factor
    return None


def _relu_of(value: Any) -> Any:
    node = value.producer()
    return node.inputs[0] if node is not None and node.op_type == "Relu" else None


def _negated(value: Any) -> Any:
    node = value.producer()
    if node is None:
        return None
    if node.op_type == "Neg":
        return node.inputs[0]
    if node.op_type == "Mul":
        for constant, other in (node.inputs, reversed(node.inputs)):
            factor = array_of(constant)
            if factor is not None and (factor == -1).all():
                return other
    return None
