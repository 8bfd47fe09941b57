"""Half precision as tensor types in the graph, where every runtime and TensorRT 11 looks for it."""

from __future__ import annotations

from collections import Counter
from typing import Any

import numpy as np
import onnx_ir as ir

from fer_edge.engine.errors import BadInput

from .rewrite.editing import add_constant, array_of

PRECISIONS = ("fp32", "fp16", "int8")
_HALF_MAX = 65504.0
_FLOAT, _HALF = ir.DataType.FLOAT, ir.DataType.FLOAT16
# Sums of exponentials: in half, probabilities would not sum to one.
_KEPT_IN_FLOAT = frozenset({"Softmax"})
# Region and scales of a Resize are float32 whatever the type of its data.
_FLOAT_OPERANDS = {"Resize": (1, 2)}


def to_half(model: Any) -> None:
    """Turn weights and arithmetic of an `onnx_ir.Model` into float16, in place.

    Inputs and outputs stay float32, and so does a softmax at the end.

    Raises:
        BadInput: a weight is too large for half precision.
    """
    graph = model.graph
    last = [_softmax_input(value) for value in graph.outputs]
    _part_float_operands(graph)
    for value in list(graph.initializers.values()):
        if not any(_is_float_operand(use.node, use.idx) for use in value.uses()):
            _halve_constant(value)
    for node in graph:
        for output in node.outputs:
            if output.type is not None and output.dtype == _FLOAT:
                output.type = ir.TensorType(_HALF)
        for name, found in list(node.attributes.items()):
            if node.op_type == "Cast" and name == "to" and found.value == _FLOAT:
                node.attributes[name] = ir.AttrInt64("to", int(_HALF))
    for value in list(graph.inputs):
        _cast_users(graph, value)
    for index, value in enumerate(last):
        _cast_back(graph, index, value)


def arithmetic_of(model: Any) -> str:
    """The precision that the convolutions and matrix products of a model really have.

    Behind Q/DQ pairs it is int8; a network of these may keep layers in half.

    Raises:
        BadInput: they differ otherwise, or there are none.
    """
    names = {_FLOAT: "fp32", _HALF: "fp16"}
    found = Counter(
        "int8" if takes_int8(node) else names.get(node.inputs[1].dtype, str(node.inputs[1].dtype))
        for node in model.graph
        if node.op_type in ("Conv", "Gemm", "MatMul")
    )
    if "int8" in found and "fp32" not in found:
        return "int8"
    if len(found) != 1:
        raise BadInput(f"mixed precision in the converted network: {dict(found)}")
    return str(next(iter(found)))


def takes_int8(node: Any) -> bool:
    """Whether a node's data come out of a Q/DQ pair."""
    producer = node.inputs[0].producer()
    return producer is not None and producer.op_type == "DequantizeLinear"


def _is_float_operand(node: Any, index: int) -> bool:
    return index in _FLOAT_OPERANDS.get(node.op_type, ())


def _part_float_operands(graph: Any) -> None:
    """Give operands that stay float32 a constant of their own."""
    for node in graph:
        for index in _FLOAT_OPERANDS.get(node.op_type, ()):
            array = array_of(node.inputs[index]) if index < len(node.inputs) else None
            if array is not None and array.size:
                name = f"{node.inputs[index].name}_float"
                node.replace_input_with(index, add_constant(graph, name, array))


def _halve_constant(value: Any) -> None:
    array = array_of(value)
    if array is None or array.dtype != np.float32:
        return
    finite = array[np.isfinite(array)]
    if finite.size and np.abs(finite).max() > _HALF_MAX:
        raise BadInput(f"weight {value.name!r} exceeds half precision; convert with fp32")
    value.const_value = ir.tensor(array.astype(np.float16), name=value.name)
    value.type = ir.TensorType(_HALF)


def _softmax_input(output: Any) -> Any:
    """Where an output leaves half precision: before its softmax, if it has one."""
    node = output.producer()
    return node.inputs[0] if node is not None and node.op_type in _KEPT_IN_FLOAT else output


def _cast(value: Any, to: Any) -> tuple[Any, Any]:
    node = ir.node("Cast", [value], {"to": int(to)})
    result = node.outputs[0]
    result.shape, result.type = value.shape, ir.TensorType(to)
    return node, result


def _cast_users(graph: Any, value: Any) -> None:
    """Give everyone who takes a float32 input a half of it."""
    if value.dtype != _FLOAT:
        return
    uses = list(value.uses())
    node, half = _cast(value, _HALF)
    half.name = f"{value.name}_half"
    graph.insert_before(graph[0], node)
    for user, index in uses:
        user.replace_input_with(index, half)


def _cast_back(graph: Any, index: int, value: Any) -> None:
    """Bring output number `index` back to float32, at `value` or behind it."""
    output = graph.outputs[index]
    node, wide = _cast(value, _FLOAT)
    if value is output:
        wide.name, value.name = value.name, f"{value.name}_half"
        for user, position in [u for u in value.uses() if u.node is not node]:
            user.replace_input_with(position, value)
        graph.outputs[index] = wide
    else:
        wide.name = f"{value.name}_float"
        softmax = output.producer()
        softmax.replace_input_with(0, wide)
        output.type = ir.TensorType(_FLOAT)
    graph.insert_after(value.producer(), node)
