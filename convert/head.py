"""What decodes a detector's maps, as nodes appended to its graph.

No loop, no plugin, no suppression: what comes out has a static shape and holds every
box that suppression on the host could keep, as long as it keeps fewer than k.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import onnx_ir as ir

from .rewrite.editing import add_constant

BOXES, SCORES, LANDMARKS = "boxes", "scores", "landmarks"
# Nodes of the head are named so, for those who must treat it apart.
PREFIX = "head/"


class HeadBuilder:
    """Appends nodes to a graph, one call an operator."""

    def __init__(self, graph: Any) -> None:
        self._graph = graph
        self._count = 0

    def __call__(self, op_type: str, *inputs: Any, outputs: int = 1, **attributes: Any) -> Any:
        """Append a node; returns its output, or its outputs where there are several."""
        name = f"{PREFIX}{op_type}_{self._count}"
        self._count += 1
        node = ir.node(op_type, inputs, attributes, num_outputs=outputs, name=name)
        for position, value in enumerate(node.outputs):
            value.name = f"{name}:{position}"
        self._graph.append(node)
        return node.outputs[0] if outputs == 1 else node.outputs

    def floats(self, name: str, values: Any) -> Any:
        """A float32 constant."""
        return add_constant(self._graph, PREFIX + name, np.asarray(values, np.float32))

    def integers(self, name: str, *values: int) -> Any:
        """An int64 constant, a vector."""
        return add_constant(self._graph, PREFIX + name, np.asarray(values, np.int64))


def set_outputs(graph: Any, outputs: Mapping[str, tuple[Any, tuple[int, ...]]]) -> None:
    """Give a graph its outputs: float32 values and their shapes, by name."""
    graph.outputs.clear()
    for name, (value, shape) in outputs.items():
        value.name = name
        value.shape = ir.Shape(shape)
        value.type = ir.TensorType(ir.DataType.FLOAT)
        graph.outputs.append(value)
