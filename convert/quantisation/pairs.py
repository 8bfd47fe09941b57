"""Q/DQ pairs in the graph."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import onnx_ir as ir
from onnx_ir.passes.common import RemoveUnusedNodesPass

from ..rewrite.editing import add_constant
from .layers import Int8Layer
from .observe import convolutions

_FLOAT, _BYTE = ir.TensorType(ir.DataType.FLOAT), ir.TensorType(ir.DataType.INT8)


def with_pairs(model: Any, layers: Mapping[str, Int8Layer]) -> Any:
    """A copy of a float network with some convolutions in int8.

    Args:
        model: an `onnx_ir.Model` whose convolutions have names.
        layers: by the name of the convolution.
    """
    copy = ir.from_proto(ir.to_proto(model))
    graph = copy.graph
    pairs: dict[str, ir.Value] = {}
    for node in convolutions(copy):
        layer = layers.get(node.name)
        if layer is None:
            continue
        value = node.inputs[0]
        if value.name not in pairs:
            pairs[value.name] = _activation_pair(graph, value, layer.step)
        node.replace_input_with(0, pairs[value.name])
        node.replace_input_with(1, _weights(graph, node, layer))
        if len(node.inputs) < 3:
            node.resize_inputs(3)
        node.replace_input_with(2, add_constant(graph, f"{node.name}_bias", layer.bias))
    RemoveUnusedNodesPass()(copy)
    return copy


def _activation_pair(graph: ir.Graph, value: ir.Value, step: float) -> ir.Value:
    scale = add_constant(graph, f"{value.name}_scale", np.float32(step))
    zero = add_constant(graph, f"{value.name}_zero", np.int8(0))
    down = ir.node("QuantizeLinear", [value, scale, zero])
    up = ir.node("DequantizeLinear", [down.outputs[0], scale, zero])
    (rounded,), (result,) = down.outputs, up.outputs
    rounded.name, rounded.shape, rounded.type = f"{value.name}_int8", value.shape, _BYTE
    result.name, result.shape, result.type = f"{value.name}_pair", value.shape, _FLOAT
    producer = value.producer()
    if producer is None:
        graph.insert_before(graph[0], [down, up])
    else:
        graph.insert_after(producer, [down, up])
    return result


def _weights(graph: ir.Graph, node: ir.Node, layer: Int8Layer) -> ir.Value:
    constants = [
        add_constant(graph, f"{node.name}_int8", layer.weights),
        add_constant(graph, f"{node.name}_scales", layer.scales),
        add_constant(graph, f"{node.name}_zeros", np.zeros(len(layer.scales), np.int8)),
    ]
    up = ir.node("DequantizeLinear", constants, {"axis": 0})
    (result,) = up.outputs
    result.name, result.shape = f"{node.name}_weights", ir.Shape(layer.weights.shape)
    result.type = _FLOAT
    graph.insert_before(node, up)
    return result
