"""Convolutions side by side as one.

A head of few channels costs as much as the call of it: YuNet-s has 24 convolutions in its heads,
of 1 to 10 channels, and 6 do.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import onnx_ir as ir

from .editing import Array, add_constant, array_of, attribute


def stacked(graph: Any, values: Sequence[Any]) -> Any:
    """Maps `(n, c, h, w)` one behind the other by channels: of one convolution, if they can be.

    Convolutions of the same input are one with all their kernels, and so are depthwise ones
    whose inputs can be stacked. The single ones are left, for others who may take them.
    """
    joined = _joined(graph, values)
    if joined is not None:
        return joined
    return _appended(graph, "Concat", list(values), {"axis": 1}, values[0])


def _joined(graph: Any, values: Sequence[Any]) -> Any:
    nodes = [value.producer() for value in values]
    if any(node is None or node.op_type != "Conv" for node in nodes):
        return None
    weights = [array_of(node.inputs[1]) for node in nodes]
    biases = [_bias(node) for node in nodes]
    if any(array is None for array in (*weights, *biases)):
        return None
    kernels: list[Array] = [array for array in weights if array is not None]
    if (
        len(
            {
                (_geometry(node), kernel.shape[2:])
                for node, kernel in zip(nodes, kernels, strict=True)
            }
        )
        > 1
    ):
        return None
    groups = [attribute(node, "group", 1) for node in nodes]
    if len({id(node.inputs[0]) for node in nodes}) == 1 and set(groups) == {1}:
        source, group = nodes[0].inputs[0], 1
    elif all(
        group == len(kernel) and kernel.shape[1] == 1
        for group, kernel in zip(groups, kernels, strict=True)
    ):
        source, group = _joined(graph, [node.inputs[0] for node in nodes]), sum(groups)
    else:
        return None
    if source is None:
        return None
    name = nodes[0].inputs[1].name
    operands = [
        source,
        add_constant(graph, f"{name}_stacked", np.concatenate(kernels)),
        add_constant(
            graph, f"{name}_stacked_bias", np.concatenate([b for b in biases if b is not None])
        ),
    ]
    attributes = {key: found.value for key, found in nodes[0].attributes.items()}
    return _appended(graph, "Conv", operands, {**attributes, "group": group}, values[0])


def _geometry(node: Any) -> tuple[Any, ...]:
    names = ("strides", "pads", "dilations", "auto_pad")
    return tuple(str(attribute(node, name)) for name in names)


def _bias(node: Any) -> Array | None:
    """Of a Conv; zeros where it has none, None where it is not constant."""
    kernel = array_of(node.inputs[1])
    if kernel is None:
        return None
    if len(node.inputs) < 3 or node.inputs[2] is None:
        return np.zeros(len(kernel), kernel.dtype)
    return array_of(node.inputs[2])


def _appended(graph: Any, op_type: str, inputs: list[Any], attributes: Any, like: Any) -> Any:
    node = ir.node(op_type, inputs, attributes)
    node.outputs[0].type = like.type
    graph.append(node)
    return node.outputs[0]
