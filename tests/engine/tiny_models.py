"""Small ONNX files with real facts, for tests that need a model but not a good one."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from fer_edge.engine.model import METADATA_KEY, ModelFacts

from .scripted import detector_facts, expression_facts


def write_detector(path: Path, score: float = 0.9) -> Path:
    """A detector that always finds one face in the upper left quarter of the frame.

    The score goes through the pixels, so that the network cannot be folded away.
    """
    nodes = [
        helper.make_node("ReduceMean", ["image"], ["mean"], axes=[2, 3], keepdims=0),
        helper.make_node("ReduceMean", ["mean"], ["level"], axes=[1], keepdims=0),
        helper.make_node("Mul", ["level", "zero"], ["nothing"]),
        helper.make_node("Add", ["nothing", "score"], ["scores"]),
        helper.make_node("Add", ["nothing", "box"], ["boxes"]),
    ]
    constants = {
        "zero": np.zeros(1, np.float32),
        "score": np.full((1, 1, 1), score, np.float32),
        "box": np.array([[[0.0, 0.0, 0.5, 0.5]]], np.float32),
    }
    outputs = {"boxes": [1, 1, 4], "scores": [1, 1, 1]}
    return _write(path, nodes, constants, {"image": [1, 3, 32, 32]}, outputs, detector_facts())


def write_mirror(path: Path, facts: ModelFacts) -> Path:
    """A "detector" whose boxes are the very picture that it sees; open axes where facts say so."""
    size: list[object] = [facts.input.height, facts.input.width]
    if facts.input.step:
        size = ["height", "width"]
    shape: list[object] = [1, facts.input.channels, *size]
    nodes = [
        helper.make_node("Mul", ["image", "one"], ["boxes"]),
        helper.make_node("ReduceMean", ["image"], ["scores"], axes=[2, 3], keepdims=0),
    ]
    outputs: dict[str, list[object]] = {"boxes": shape, "scores": [1, facts.input.channels]}
    return _write(path, nodes, {"one": np.ones(1, np.float32)}, {"image": shape}, outputs, facts)


def write_expression(path: Path) -> Path:
    """A softmax over seven fixed random projections of an 8x8 face."""
    weights = np.random.default_rng(0).normal(0, 0.01, (64, 7)).astype(np.float32)
    nodes = [
        helper.make_node("Flatten", ["face"], ["flat"]),
        helper.make_node("MatMul", ["flat", "weights"], ["logits"]),
        helper.make_node("Softmax", ["logits"], ["probabilities"], axis=1),
    ]
    return _write(
        path, nodes, {"weights": weights}, {"face": ["batch", 1, 8, 8]},
        {"probabilities": ["batch", 7]}, expression_facts(),
    )  # fmt: skip


def _write(
    path: Path,
    nodes: list[onnx.NodeProto],
    constants: dict[str, np.ndarray],
    inputs: dict[str, list[object]],
    outputs: dict[str, list[object]],
    facts: ModelFacts,
) -> Path:
    def values(shapes: dict[str, list[object]]) -> list[onnx.ValueInfoProto]:
        return [
            helper.make_tensor_value_info(name, TensorProto.FLOAT, shape)
            for name, shape in shapes.items()
        ]

    weights = [numpy_helper.from_array(array, name) for name, array in constants.items()]
    graph = helper.make_graph(nodes, "tiny", values(inputs), values(outputs), weights)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    helper.set_model_props(model, {METADATA_KEY: facts.to_json()})
    onnx.checker.check_model(model)
    onnx.save(model, path)
    return path
