from __future__ import annotations

from typing import Any

import numpy as np
import onnx
import onnx_ir as ir
import onnxruntime as ort
from hypothesis import given
from hypothesis import strategies as st
from onnx import TensorProto, helper, numpy_helper

from fer_edge.convert.rewrite import absorb_flatten, clean_up, convolve_pooled, operators

BATCH = 3
SIDES = st.integers(1, 5)


def network(nodes: list[Any], shape: list[int | str], constants: dict[str, np.ndarray]) -> Any:
    value = helper.make_tensor_value_info
    graph = helper.make_graph(
        nodes,
        "test",
        [value("x", TensorProto.FLOAT, shape)],
        [value("y", TensorProto.FLOAT, None)],
        [numpy_helper.from_array(array, name) for name, array in constants.items()],
    )
    proto = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    return ir.from_proto(onnx.shape_inference.infer_shapes(proto, data_prop=True))


def run(model: Any, x: np.ndarray) -> np.ndarray:
    session = ort.InferenceSession(ir.to_proto(model).SerializeToString())
    return session.run(None, {"x": x})[0]


@given(SIDES, SIDES, SIDES, st.permutations((1, 2, 3)), st.booleans(), st.sampled_from([-1, 0]))
def test_a_flattening_in_any_order_moves_into_the_weights(
    channels: int, height: int, width: int, order: list[int], open_batch: bool, first: int
) -> None:
    rng = np.random.default_rng(channels)
    features = channels * height * width
    model = network(
        [
            helper.make_node("Transpose", ["x"], ["t"], perm=[0, *order]),
            helper.make_node("Reshape", ["t", "target"], ["f"]),
            helper.make_node("MatMul", ["f", "weights"], ["y"]),
        ],
        ["batch" if open_batch else BATCH, channels, height, width],
        {
            "target": np.array([first, features], np.int64),
            # Answers of order one, so that the bound is one on rounding whatever the size.
            "weights": rng.normal(0, features**-0.5, (features, 4)).astype(np.float32),
        },
    )
    x = rng.normal(0, 1, (BATCH, channels, height, width)).astype(np.float32)
    expected = run(model, x)
    assert absorb_flatten(model.graph) == 1
    assert absorb_flatten(model.graph) == 0
    clean_up(model)
    np.testing.assert_allclose(run(model, x), expected, atol=1e-5)
    assert "Transpose" not in operators(model)


def test_a_flattening_with_another_user_or_of_the_batch_stays() -> None:
    rng = np.random.default_rng(0)
    weights = rng.normal(0, 1, (24, 4)).astype(np.float32)
    x = rng.normal(0, 1, (BATCH, 2, 3, 4)).astype(np.float32)
    transpose = helper.make_node("Transpose", ["x"], ["t"], perm=[0, 2, 3, 1])
    dense = helper.make_node("MatMul", ["f", "weights"], ["y"])
    for nodes in (
        [
            transpose,
            helper.make_node("Reshape", ["t", "target"], ["f"]),
            helper.make_node("MatMul", ["f", "weights"], ["m"]),
            helper.make_node("ReduceMax", ["f"], ["r"], axes=[1]),
            helper.make_node("Add", ["m", "r"], ["y"]),
        ],
        [
            helper.make_node("Transpose", ["x"], ["t"], perm=[1, 2, 3, 0]),
            helper.make_node("Reshape", ["t", "target"], ["f"]),
            dense,
        ],
    ):
        target = np.array([-1, 24], np.int64)
        model = network(nodes, [BATCH, 2, 3, 4], {"target": target, "weights": weights})
        expected = run(model, x)
        assert absorb_flatten(model.graph) == 0
        clean_up(model)
        np.testing.assert_allclose(run(model, x), expected, atol=1e-5)


@given(SIDES, SIDES, SIDES)
def test_targets_computed_from_shapes_become_constants(
    channels: int, height: int, width: int
) -> None:
    """What Keras 3 writes for Flatten: the batch is cut out of the shape at run time."""
    features = channels * height * width
    model = network(
        [
            helper.make_node("Shape", ["x"], ["s"]),
            helper.make_node("Slice", ["s", "zero", "one"], ["n"]),
            helper.make_node("Concat", ["n", "rest"], ["target"], axis=0),
            helper.make_node("Reshape", ["x", "target"], ["y"]),
        ],
        ["batch", channels, height, width],
        {
            "zero": np.array([0], np.int64),
            "one": np.array([1], np.int64),
            "rest": np.array([features], np.int64),
        },
    )
    x = np.random.default_rng(0).normal(0, 1, (BATCH, channels, height, width))
    clean_up(model)
    assert operators(model) == {"Reshape": 1}
    result = run(model, x.astype(np.float32))
    np.testing.assert_array_equal(result, x.astype(np.float32).reshape(BATCH, features))


@given(SIDES, SIDES, st.booleans(), st.booleans())
def test_a_dense_layer_on_pooled_maps_is_a_convolution(
    channels: int, side: int, open_batch: bool, biased: bool
) -> None:
    rng = np.random.default_rng(channels)
    nodes = [
        helper.make_node("GlobalAveragePool", ["x"], ["p"]),
        helper.make_node("Squeeze", ["p", "axes"], ["f"]),
        helper.make_node("MatMul", ["f", "weights"], ["m" if biased else "y"]),
    ]
    constants = {
        "axes": np.array([2, 3], np.int64),
        "weights": rng.normal(0, 1, (channels, 4)).astype(np.float32),
    }
    if biased:
        nodes.append(helper.make_node("Add", ["m", "bias"], ["y"]))
        constants["bias"] = rng.normal(0, 1, 4).astype(np.float32)
    model = network(nodes, ["batch" if open_batch else BATCH, channels, side, side], constants)
    x = rng.normal(0, 1, (BATCH, channels, side, side)).astype(np.float32)
    expected = run(model, x)
    assert convolve_pooled(model.graph) == 1
    assert convolve_pooled(model.graph) == 0
    np.testing.assert_allclose(run(model, x), expected, atol=1e-5)
    clean_up(model)
    assert operators(model)["MatMul"] == 0
    assert "weights" not in model.graph.initializers
    np.testing.assert_allclose(run(model, x), expected, atol=1e-5)


def test_a_dense_layer_elsewhere_stays() -> None:
    model = network(
        [helper.make_node("MatMul", ["x", "weights"], ["y"])],
        ["batch", 5],
        {"weights": np.ones((5, 4), np.float32)},
    )
    assert convolve_pooled(model.graph) == 0
