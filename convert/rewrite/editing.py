"""Small steps of graph surgery on onnx_ir graphs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import onnx_ir as ir

Array = npt.NDArray[Any]


def array_of(value: Any) -> Array | None:
    """The constant behind a value (initializer or Constant node), or None."""
    if value is None or value.const_value is None:
        return None
    return np.asarray(value.const_value.numpy())


def is_constant(value: Any) -> bool:
    """Whether a value is known before the network runs."""
    return value is not None and value.const_value is not None


def add_constant(graph: Any, like: str, array: Array) -> Any:
    """Register `array` as an initializer under a free name that begins with `like`."""
    name = free_name(graph, like)
    value = ir.Value(
        name=name,
        const_value=ir.tensor(np.array(array, order="C"), name=name),
        shape=ir.Shape(array.shape),
        type=ir.TensorType(ir.DataType.from_numpy(array.dtype)),
    )
    graph.register_initializer(value)
    return value


def free_name(graph: Any, like: str) -> str:
    """`like`, with a number behind it if it is taken by an initializer."""
    name, number = like, 1
    while name in graph.initializers:
        name, number = f"{like}_{number}", number + 1
    return name


def replace(
    graph: Any,
    old: Any,
    op_type: str,
    inputs: Sequence[Any],
    attributes: Mapping[str, Any] | None = None,
) -> Any:
    """Put a new node with one output in the place of node `old`; returns the new node.

    The new output takes over the name, so that graph outputs keep theirs.
    """
    node = ir.node(op_type, inputs, attributes or {}, name=old.name)
    output = old.outputs[0]
    result = node.outputs[0]
    result.shape, result.type = output.shape, output.type
    graph.insert_after(old, node)
    name, output.name = output.name, None
    result.name = name
    output.replace_all_uses_with(result, replace_graph_outputs=True)
    graph.remove(old, safe=True)
    return node


def bypass(graph: Any, node: Any, value: Any) -> bool:
    """Let everyone who takes a node's output take `value` instead, and remove the node.

    Returns False, with nothing changed, where a graph output would take the name of a
    graph input.
    """
    output = node.outputs[0]
    if output.is_graph_output():
        if value.is_graph_input() or value.is_graph_output() or value.producer() is None:
            return False
        value.name, output.name = output.name, None
    output.replace_all_uses_with(value, replace_graph_outputs=True)
    graph.remove(node, safe=True)
    return True


def drop_unused(graph: Any, node: Any) -> None:
    """Remove a node whose one output nobody takes; None and removed nodes are fine."""
    if node is not None and node.graph is not None:
        output = node.outputs[0]
        if not output.uses() and not output.is_graph_output():
            graph.remove(node, safe=True)


def forget_shapes(graph: Any) -> None:
    """Have shapes inferred anew, so that an open batch axis has one name throughout."""
    for node in graph:
        for value in node.outputs:
            if not value.is_graph_output():
                value.shape = None


def only_user(value: Any) -> Any:
    """The one node that takes a value, or None when there are more or it is an output."""
    users = list(value.uses())
    if len(users) != 1 or value.is_graph_output():
        return None
    return users[0].node


def attribute(node: Any, name: str, default: Any = None) -> Any:
    """The plain value of a node's attribute."""
    found = node.attributes.get(name)
    return default if found is None else found.value


def rank_of(value: Any) -> int | None:
    """Number of dimensions, where known."""
    return None if value.shape is None else len(value.shape)
