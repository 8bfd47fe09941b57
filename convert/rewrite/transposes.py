"""Transposes sink towards the outputs and cancel each other.

TensorFlow computes in NHWC, ONNX in NCHW: a converter wraps every convolution in a
pair of Transposes. Pulled through the operators in between, nearly all meet their
inverse.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from .editing import (
    add_constant,
    array_of,
    attribute,
    bypass,
    drop_unused,
    is_constant,
    rank_of,
    replace,
)

_UNARY = frozenset(
    """
    Abs Cast Ceil Clip Elu Erf Exp Floor HardSigmoid HardSwish Identity LeakyRelu Log Mish Neg
    Reciprocal Relu Round Selu Sigmoid Sign Softplus Softsign Sqrt Tanh ThresholdedRelu
    """.split()
)
_ELEMENTWISE = frozenset({"Add", "Div", "Max", "Mean", "Min", "Mul", "Pow", "PRelu", "Sub", "Sum"})
_REDUCTIONS = frozenset({"ReduceMax", "ReduceMean", "ReduceMin"})


def sink_transposes(graph: Any) -> int:
    """Sink and cancel Transposes until nothing moves; returns the number of steps."""
    steps = 0
    moved = True
    while moved:
        moved = False
        for node in list(graph):
            if node.graph is None:
                continue
            if _cancel(graph, node) or _flatten(graph, node) or _sink(graph, node):
                steps += 1
                moved = True
    return steps


def permutation(node: Any) -> tuple[int, ...] | None:
    """The permutation of a Transpose, or None for other nodes."""
    if node is None or node.op_type != "Transpose":
        return None
    perm = attribute(node, "perm")
    if perm is not None:
        return tuple(perm)
    rank = rank_of(node.inputs[0])
    return None if rank is None else tuple(reversed(range(rank)))


def _cancel(graph: Any, node: Any) -> bool:
    """Transpose of nothing, of a constant, or of another Transpose."""
    perm = permutation(node)
    if perm is None:
        return False
    source = node.inputs[0]
    if perm == tuple(range(len(perm))):
        return bypass(graph, node, source)
    if (array := array_of(source)) is not None:
        constant = add_constant(graph, f"{source.name}_transposed", array.transpose(perm))
        return bypass(graph, node, constant)
    inner = permutation(source.producer())
    if inner is None:
        return False
    both = tuple(inner[axis] for axis in perm)
    replace(graph, node, "Transpose", [source.producer().inputs[0]], {"perm": both})
    drop_unused(graph, source.producer())
    return True


def _flatten(graph: Any, node: Any) -> bool:
    """A Transpose that only moves axes of length 1 changes no order in memory: before a
    Reshape it can go."""
    if node.op_type not in ("Reshape", "Flatten") or attribute(node, "allowzero"):
        return False
    producer = node.inputs[0].producer()
    perm = permutation(producer)
    shape = producer.inputs[0].shape if perm else None
    if perm is None or shape is None or perm[0] != 0 or attribute(node, "axis", 1) != 1:
        return False
    long = [axis for axis in perm if shape[axis] != 1]
    target = array_of(node.inputs[1]) if node.op_type == "Reshape" else np.array([0, -1])
    # A zero copies the length of that axis, which the Transpose may have changed.
    if long != sorted(long) or target is None or (target[1:] == 0).any():
        return False
    node.replace_input_with(0, producer.inputs[0])
    drop_unused(graph, producer)
    return True


def _sink(graph: Any, node: Any) -> bool:
    """Swap an operator with the Transposes above it."""
    operands = [value for value in node.inputs if value is not None and not is_constant(value)]
    perms = {permutation(value.producer()) for value in operands}
    if len(perms) != 1 or len(node.outputs) != 1:
        return False
    (perm,) = perms
    if perm is None:
        return False
    changed = _swapped(graph, node, perm)
    if changed is None:
        return False
    inputs, attributes, after = changed
    above = [value.producer() for value in operands]
    new = replace(graph, node, node.op_type, inputs, attributes)
    output = new.outputs[0]
    _append_transpose(graph, new, output, after)
    for producer in above:
        drop_unused(graph, producer)
    return True


Swapped = tuple[list[Any], dict[str, Any], tuple[int, ...]]


def _swapped(graph: Any, node: Any, perm: tuple[int, ...]) -> Swapped | None:
    """Inputs and attributes of `node` before its Transpose, and the permutation after it."""
    attributes = {name: found.value for name, found in node.attributes.items()}
    raised = [
        value if value is None or is_constant(value) else value.producer().inputs[0]
        for value in node.inputs
    ]
    if node.op_type in _UNARY:
        return raised, attributes, perm
    if node.op_type in _ELEMENTWISE:
        inputs = [_unpermuted(graph, value, perm) for value in raised]
        return None if None in inputs else (inputs, attributes, perm)
    if node.op_type == "Concat":
        if any(is_constant(value) for value in node.inputs):
            return None
        axis = attribute(node, "axis") % len(perm)
        return raised, {**attributes, "axis": perm[axis]}, perm
    if node.op_type == "Pad":
        return _swapped_pad(graph, raised, attributes, perm)
    if node.op_type in _REDUCTIONS:
        return _swapped_reduction(raised, attributes, perm)
    return None


def _unpermuted(graph: Any, value: Any, perm: Sequence[int]) -> Any:
    """A constant operand as it must look before the Transpose; others stay."""
    array = array_of(value)
    if array is None or array.size == 1:
        return value
    if array.ndim > len(perm):
        return None
    full = array.reshape((1,) * (len(perm) - array.ndim) + array.shape)
    return add_constant(graph, f"{value.name}_nchw", full.transpose(np.argsort(perm)))


def _swapped_pad(
    graph: Any, inputs: list[Any], attributes: dict[str, Any], perm: tuple[int, ...]
) -> Swapped | None:
    pads = array_of(inputs[1])
    if pads is None or len(pads) != 2 * len(perm) or len(inputs) > 3:
        return None
    before = pads.reshape(2, -1)[:, np.argsort(perm)].ravel()
    moved = add_constant(graph, f"{inputs[1].name}_nchw", before)
    return [inputs[0], moved, *inputs[2:]], attributes, perm


def _swapped_reduction(
    inputs: list[Any], attributes: dict[str, Any], perm: tuple[int, ...]
) -> Swapped | None:
    axes = attributes.get("axes")
    if axes is None or len(inputs) != 1:
        return None
    reduced = [axis % len(perm) for axis in axes]
    attributes = {**attributes, "axes": sorted(perm[axis] for axis in reduced)}
    if attributes.get("keepdims", 1):
        return inputs, attributes, perm
    kept = [perm[axis] for axis in range(len(perm)) if axis not in reduced]
    return inputs, attributes, tuple(sorted(kept).index(axis) for axis in kept)


def _append_transpose(graph: Any, node: Any, output: Any, perm: tuple[int, ...]) -> None:
    """Transpose a node's output for everyone who takes it."""
    if perm == tuple(range(len(perm))):
        return
    import onnx_ir as ir

    after = ir.node("Transpose", [output], {"perm": perm})
    result = after.outputs[0]
    result.shape, result.type = output.shape, output.type
    name = output.name
    output.replace_all_uses_with(result, replace_graph_outputs=True)
    after.replace_input_with(0, output)
    graph.insert_after(node, after)
    result.name, output.name = name, f"{name}_nchw"
    inverse = np.argsort(perm)
    if output.shape is not None:
        output.shape = ir.Shape([result.shape[int(axis)] for axis in inverse])
