"""What stands behind a network's last layer, and what makes probabilities of it."""

from __future__ import annotations

from typing import Any, Literal

import numpy as np

from fer_edge.engine.errors import BadInput
from fer_edge.engine.types import Floats

# `shares`: a value above zero for each class by itself, as of a sigmoid.
Ending = Literal["probabilities", "logits", "shares"]
_LOGITS = frozenset({None, "linear", "softmax", "log_softmax"})
_SHARES = frozenset({"sigmoid", "hard_sigmoid", "exponential", "softplus"})
# Layers that leave values as they are.
_PASSED = frozenset({"Flatten", "Reshape", "Permute", "Dropout", "Identity", "InputLayer"})
_AS_LAYERS = {"Softmax": "softmax", "ReLU": "relu", "LeakyReLU": "leaky_relu", "ELU": "elu"}
# Above zero in half precision too: shares that are all zero say that all classes are alike.
LEAST_SHARE = 1e-6


def last_activation(tensor: Any) -> str | None:
    """The activation that an output of a Keras network comes from; None for none known."""
    while True:
        history = getattr(tensor, "_keras_history", None)
        # Of Keras 3, or of Keras 2.
        layer = getattr(history, "operation", None) or getattr(history, "layer", None)
        if layer is None:
            return None
        kind, activation = type(layer).__name__, getattr(layer, "activation", None)
        name = getattr(activation, "__name__", None)
        if hasattr(layer, "layers"):
            tensor = layer.outputs[0]
        elif kind in _PASSED or (kind == "Activation" and name == "linear"):
            tensor = layer.input
        else:
            return name or _AS_LAYERS.get(kind)


def ending_of(rows: Floats, activation: str | None) -> Ending:
    """What rows of a network's answers `(n, classes)` are, where it ends in an activation.

    Raises:
        BadInput: nothing that probabilities can be made of.
    """
    if (rows >= 0).all() and np.abs(rows.sum(axis=1) - 1).max(initial=0.0) <= 1e-3:
        return "probabilities"
    if activation in _SHARES:
        return "shares"
    if activation in _LOGITS:
        return "logits"
    raise BadInput(
        f"ends in {activation}, which gives neither probabilities nor logits; end it in a softmax"
    )


def as_probabilities(rows: Floats, ending: Ending) -> Floats:
    """Rows of answers as probabilities."""
    if ending == "probabilities":
        return rows
    if ending == "logits":
        rows = np.exp(rows - rows.max(axis=1, keepdims=True))
    else:
        rows = rows + np.float32(LEAST_SHARE)
    return rows / rows.sum(axis=1, keepdims=True)


def append_ending(graph: Any, ending: Ending) -> None:
    """The same as nodes behind each output of an `onnx_ir` graph, which keep their names."""
    import onnx_ir as ir

    if ending == "probabilities":
        return
    for index, output in enumerate(list(graph.outputs)):
        name = output.name
        output.name = f"{name}_{ending}"
        if ending == "logits":
            nodes = [ir.node("Softmax", [output], {"axis": 1}, name=f"{name}_softmax")]
        else:
            nodes = _shares(graph, output, name)
        last = nodes[-1].outputs[0]
        last.name, last.shape, last.type = name, output.shape, output.type
        graph.extend(nodes)
        graph.outputs[index] = last


def _shares(graph: Any, output: Any, name: str) -> list[Any]:
    import onnx_ir as ir

    least = ir.Value(name=f"{name}_least", const_value=ir.tensor(np.float32(LEAST_SHARE)))
    axes = ir.Value(name=f"{name}_axes", const_value=ir.tensor(np.array([1], np.int64)))
    for value in (least, axes):
        value.shape, value.type = value.const_value.shape, ir.TensorType(value.const_value.dtype)
        graph.initializers[value.name] = value
    raised = ir.node("Add", [output, least], name=f"{name}_raised")
    total = ir.node("ReduceSum", [raised.outputs[0], axes], {"keepdims": 1}, name=f"{name}_total")
    for node, width in ((raised, output.shape[1]), (total, 1)):
        node.outputs[0].name, node.outputs[0].type = f"{node.name}_value", output.type
        node.outputs[0].shape = ir.Shape([output.shape[0], width])
    share = ir.node("Div", [raised.outputs[0], total.outputs[0]], name=f"{name}_share")
    return [raised, total, share]
