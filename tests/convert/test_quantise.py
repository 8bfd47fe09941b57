from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnx_ir as ir
import onnxruntime as ort
import pytest
from onnx import TensorProto, helper, numpy_helper

from fer_edge.convert.cli import main
from fer_edge.convert.precision import arithmetic_of, takes_int8
from fer_edge.convert.quantise import probability_error, quantise, score_error
from fer_edge.convert.rewrite import interpolates
from fer_edge.engine.errors import BadInput
from fer_edge.engine.model import read_facts

from ..conftest import REPOSITORY
from .keras_models import small
from .ssd_graph import Recipe, write_ssd

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
    value = helper.make_tensor_value_info
    graph = helper.make_graph(
        nodes, "test",
        [value("x", TensorProto.FLOAT, ["batch", 3, 12, 12])],
        [value("y", TensorProto.FLOAT, ["batch", 4])],
        [numpy_helper.from_array(np.float32(a), name) for name, a in arrays.items()],
    )  # fmt: skip
    proto = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    return ir.from_proto(onnx.shape_inference.infer_shapes(proto))


def run(model: Any) -> np.ndarray:
    proto = ir.to_proto(model)
    onnx.checker.check_model(proto, full_check=True)
    session = ort.InferenceSession(proto.SerializeToString())
    return np.concatenate([session.run(None, {"x": x})[0] for x in INPUTS])


def test_all_of_a_tame_network_is_in_int8() -> None:
    model = network()
    before = run(model)
    result = quantise(model, INPUTS, probability_error, budget=0.02)
    assert result.kept == ()
    assert result.layers == 3
    np.testing.assert_allclose(run(result.model), before, atol=0.05)
    np.testing.assert_array_equal(run(model), before)
    assert 0 < result.error <= 0.02
    assert arithmetic_of(result.model) == "int8"


def test_a_percentile_keeps_one_wild_value_from_widening_a_range(
    capfd: pytest.CaptureFixture[str],
) -> None:
    wild = [x.copy() for x in INPUTS]
    wild[1][0, 0, 5, 5] = 1000
    whole = quantise(network(), wild, probability_error, budget=1)
    most = quantise(network(), wild, probability_error, budget=1, percentile=99)
    assert most.error < whole.error / 2
    assert capfd.readouterr().out == ""


def test_the_pairs_are_as_tensorrt_wants_them() -> None:
    graph = quantise(network(), INPUTS, probability_error, budget=0.02).model.graph
    convolutions = [node for node in graph if node.op_type == "Conv"]
    for node in convolutions:
        weights = node.inputs[1].producer()
        assert weights.op_type == "DequantizeLinear"
        scale = weights.inputs[1].const_value.numpy()
        assert scale.shape == (8,)
        activation = node.inputs[0].producer()
        assert activation.inputs[1].const_value.numpy().shape == ()
        for pair in (weights, activation):
            assert not pair.inputs[2].const_value.numpy().any()
    # A bias stays float: it is no output of a DequantizeLinear.
    assert convolutions[0].inputs[2].const_value.dtype == ir.DataType.FLOAT
    (product,) = [node for node in graph if node.op_type == "MatMul"]
    assert product.inputs[1].const_value.dtype == ir.DataType.FLOAT16


def test_the_layer_that_hurts_stays_in_half() -> None:
    model = network(spread=300)
    rough = quantise(model, INPUTS, probability_error, budget=1.0)
    budget = rough.error / 3
    result = quantise(model, INPUTS, probability_error, budget)
    assert len(result.kept) == 1
    assert result.error <= budget
    convolutions = [node for node in result.model.graph if node.op_type == "Conv"]
    assert [takes_int8(node) for node in convolutions] == [True, False, True]
    assert convolutions[1].inputs[1].const_value.dtype == ir.DataType.FLOAT16
    assert arithmetic_of(result.model) == "int8"
    assert (
        np.abs(run(result.model) - run(model)).mean() < np.abs(run(rough.model) - run(model)).mean()
    )


def test_what_cannot_be_reached_is_an_error() -> None:
    with pytest.raises(BadInput, match="even with half of the layers in fp16"):
        quantise(network(), INPUTS, probability_error, budget=1e-9)
    with pytest.raises(BadInput, match="2 calibration inputs are too few"):
        quantise(network(), INPUTS[:2], probability_error, budget=1)


def test_scores_are_compared_in_order_whatever_their_places() -> None:
    scores = np.random.default_rng(0).random((1, 20, 1)).astype(np.float32)
    shuffled = np.random.default_rng(1).permutation(scores, axis=1)
    assert score_error([shuffled], [scores]) == 0
    assert score_error([scores + 0.5], [scores]) == pytest.approx(0.5)


def test_the_command_line_makes_int8_of_both_kinds(tmp_path: Path) -> None:
    import keras

    write_ssd(tmp_path / "graph.pb", Recipe())
    small(keras).save(tmp_path / "e.keras")
    video = tmp_path / "v.mp4"
    from fer_edge.engine.cli import main as fer_run

    assert fer_run(["--max-frames", "30", "--save", str(video), "--quiet"]) == 0
    for name in ("graph.pb", "e.keras"):
        words = [f"{tmp_path}/{name}", "--precision", "int8", "--calibrate", str(video)]
        code = main([*words, "--quiet"])
        # Random weights hold no promise of accuracy: a refusal names it, a file keeps it.
        out = (tmp_path / name).with_suffix(".onnx")
        assert code == (0 if out.exists() else 2)
        if out.exists():
            assert read_facts(out).precision == "int8"
            kinds = Counter(node.op_type for node in onnx.load(out).graph.node)
            assert kinds["QuantizeLinear"] >= 1


def test_the_residual_expression_model_survives_int8(tmp_path: Path) -> None:
    source = REPOSITORY / "models" / "expression_64.keras"
    faces = tmp_path / "v.mp4"
    from fer_edge.engine.cli import main as fer_run

    assert fer_run(["--max-frames", "90", "--save", str(faces), "--quiet"]) == 0
    words = [str(source), "-o", f"{tmp_path}/e.onnx", "--precision", "int8"]
    assert main([*words, "--calibrate", str(faces), "--quiet"]) == 0
    # Of two bytes for each of its parameters in fp16.
    assert (tmp_path / "e.onnx").stat().st_size < 0.8 * 2 * 1_969_575
    model = ir.from_proto(onnx.load(tmp_path / "e.onnx"))
    enlarging = [n for n in model.graph if n.op_type == "Conv" and interpolates(n)]
    assert len(enlarging) == 2
    assert not any(map(takes_int8, enlarging))


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--precision", "int8"], "go together"),
        (["--precision", "fp16", "--calibrate", "x"], "go together"),
        (["--precision", "int8", "--calibrate", "nowhere"], "nowhere: no such file"),
    ],
)
def test_pictures_and_int8_go_together(
    tmp_path: Path, words: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    import keras

    small(keras).save(tmp_path / "e.keras")
    assert main([f"{tmp_path}/e.keras", *words, "--quiet"]) == 2
    assert message in capsys.readouterr().err
    assert not (tmp_path / "e.onnx").exists()
