"""Small networks to quantise."""

from __future__ import annotations

from typing import Any

import numpy as np
import onnx
import onnx_ir as ir
from onnx import TensorProto, helper, numpy_helper

INPUTS = [
    np.random.default_rng(i).normal(0, 1, (1, 3, 12, 12)).astype(np.float32) for i in range(9)
]


def network(spread: float = 1.0) -> Any:
    """Three convolutions, a pooling and a product; in the second, one channel is `spread` times
    as strong as the others, which a scale for the whole tensor cannot follow."""
    rng = np.random.default_rng(0)
    strong = np.ones((1, 8, 1, 1), np.float32)
    strong[0, 0] = spread
    arrays = {
        "w1": rng.normal(0, 0.3, (8, 3, 3, 3)), "b1": rng.normal(0, 0.1, 8),
        "strong": strong, "weak": 1 / strong,
        "w2": rng.normal(0, 0.2, (8, 8, 3, 3)), "w3": rng.normal(0, 0.2, (8, 8, 1, 1)),
        "m": rng.normal(0, 1, (8, 4)),
    }  # fmt: skip
    arrays["w2"][:, 0] /= spread
    node = helper.make_node
    nodes = [
        node("Conv", ["x", "w1", "b1"], ["c1"], pads=[1, 1, 1, 1]),
        node("Relu", ["c1"], ["r1"]),
        node("Mul", ["r1", "strong"], ["s1"]),
        node("Conv", ["s1", "w2"], ["c2"], pads=[1, 1, 1, 1]),
        node("Relu", ["c2"], ["r2"]),
        node("Conv", ["r2", "w3"], ["c3"]),
        node("ReduceMean", ["c3"], ["p"], axes=[2, 3], keepdims=0),
        node("MatMul", ["p", "m"], ["l"]),
        node("Softmax", ["l"], ["y"], axis=1),
    ]
    return _model(nodes, arrays, ["batch", 4])


def mobile(activation: str, seed: int = 0, bound: float = 6.0) -> Any:
    """A convolution, a depthwise one and a pointwise one with activations between; their channels
    are of very unlike strength."""
    rng = np.random.default_rng(seed)
    strength = rng.uniform(0.02, 1, 8)[:, None, None, None]
    arrays = {
        "w1": rng.normal(0, 0.4, (8, 3, 3, 3)) * strength, "b1": rng.normal(0, 0.1, 8),
        "w2": rng.normal(0, 0.4, (8, 1, 3, 3)) / strength, "b2": rng.normal(0, 0.1, 8),
        "w3": rng.normal(0, 0.4, (4, 8, 1, 1)),
        "low": np.array(0), "high": np.array(bound), "slope": rng.uniform(0, 0.5, (8, 1, 1)),
    }  # fmt: skip
    further = {"Relu": [], "Clip": ["low", "high"], "PRelu": ["slope"]}[activation]
    node = helper.make_node
    nodes = [
        node("Conv", ["x", "w1", "b1"], ["c1"], pads=[1, 1, 1, 1]),
        node(activation, ["c1", *further], ["r1"]),
        node("Conv", ["r1", "w2", "b2"], ["c2"], group=8, pads=[1, 1, 1, 1]),
        node(activation, ["c2", *further], ["r2"]),
        node("Conv", ["r2", "w3"], ["c3"]),
        node("ReduceMean", ["c3"], ["l"], axes=[2, 3], keepdims=0),
        node("Softmax", ["l"], ["y"], axis=1),
    ]
    used = {name for n in nodes for name in n.input}
    return _model(nodes, {k: v for k, v in arrays.items() if k in used}, ["batch", 4])


def _model(nodes: list[Any], arrays: dict[str, Any], output: list[Any]) -> Any:
    value = helper.make_tensor_value_info
    graph = helper.make_graph(
        nodes, "test",
        [value("x", TensorProto.FLOAT, ["batch", 3, 12, 12])],
        [value("y", TensorProto.FLOAT, output)],
        [numpy_helper.from_array(np.float32(a), name) for name, a in arrays.items()],
    )  # fmt: skip
    proto = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    return ir.from_proto(onnx.shape_inference.infer_shapes(proto))
