from __future__ import annotations

from typing import Any

import numpy as np
import onnx
import onnx_ir as ir
import onnxruntime as ort
import pytest
from onnx import TensorProto, helper, numpy_helper

from fer_edge.convert.precision import arithmetic_of, to_half
from fer_edge.engine.errors import BadInput

SHAPE = (2, 3, 6, 8)


def network(*nodes: Any, **constants: np.ndarray) -> Any:
    """A Conv from `x` to `c`, then these nodes, the last of which gives `y`."""
    rng = np.random.default_rng(0)
    constants.setdefault("w", rng.normal(0, 0.3, (4, 3, 3, 3)).astype(np.float32))
    value = helper.make_tensor_value_info
    graph = helper.make_graph(
        [helper.make_node("Conv", ["x", "w"], ["c"], pads=[1, 1, 1, 1]), *nodes],
        "test",
        [value("x", TensorProto.FLOAT, ["batch", *SHAPE[1:]])],
        [value("y", TensorProto.FLOAT, None)],
        [numpy_helper.from_array(array, name) for name, array in constants.items()],
    )
    proto = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    return ir.from_proto(onnx.shape_inference.infer_shapes(proto))


def run(model: Any, x: np.ndarray) -> np.ndarray:
    proto = ir.to_proto(model)
    onnx.checker.check_model(proto, full_check=True)
    return ort.InferenceSession(proto.SerializeToString()).run(None, {"x": x})[0]


FACES = np.random.default_rng(1).normal(0, 1, SHAPE).astype(np.float32)


@pytest.mark.parametrize(
    ("nodes", "constants"),
    [
        ([helper.make_node("Relu", ["c"], ["y"])], {}),
        (
            [helper.make_node("Clip", ["c", "low", "high"], ["y"])],
            {"low": np.float32(0), "high": np.float32(6)},
        ),
        (
            [helper.make_node("Resize", ["c", "", "scales"], ["y"], mode="nearest")],
            {"scales": np.array([1, 1, 2, 2], np.float32)},
        ),
        # One constant for a Resize, which wants float32, and for arithmetic in half.
        (
            [
                helper.make_node("Resize", ["c", "", "scales"], ["r"], mode="nearest"),
                helper.make_node("Reshape", ["scales", "column"], ["s"]),
                helper.make_node("Mul", ["r", "s"], ["y"]),
            ],
            {
                "scales": np.array([1, 1, 2, 2], np.float32),
                "column": np.array([1, 4, 1, 1], np.int64),
            },
        ),
        ([helper.make_node("Softmax", ["c"], ["y"], axis=1)], {}),
    ],
    ids=["relu", "clip", "resize", "shared constant", "softmax"],
)
def test_half_computes_nearly_the_same_with_float_ends(nodes: Any, constants: Any) -> None:
    model = network(*nodes, **constants)
    expected = run(model, FACES)
    assert arithmetic_of(model) == "fp32"
    to_half(model)
    assert arithmetic_of(model) == "fp16"
    found = run(model, FACES)
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, expected, atol=0.01)
    assert (found != expected).any(), "nothing was computed in half"


def test_probabilities_still_sum_to_one() -> None:
    model = network(helper.make_node("Softmax", ["c"], ["y"], axis=1))
    to_half(model)
    np.testing.assert_allclose(run(model, FACES).sum(axis=1), 1, atol=1e-6)


def test_weights_too_large_for_half_are_named() -> None:
    weights = np.full((4, 3, 3, 3), 1e5, np.float32)
    model = network(helper.make_node("Relu", ["c"], ["y"]), w=weights)
    with pytest.raises(BadInput, match="'w' exceeds half precision"):
        to_half(model)


def test_a_network_of_two_precisions_is_noticed() -> None:
    model = network(
        helper.make_node("Cast", ["c"], ["h"], to=TensorProto.FLOAT16),
        helper.make_node("Conv", ["h", "v"], ["d"]),
        helper.make_node("Cast", ["d"], ["y"], to=TensorProto.FLOAT),
        v=np.ones((1, 4, 1, 1), np.float16),
    )
    with pytest.raises(BadInput, match="mixed precision"):
        arithmetic_of(model)
