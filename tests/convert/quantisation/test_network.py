from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnx_ir as ir
import onnxruntime as ort
import pytest

from fer_edge.convert.cli import main
from fer_edge.convert.precision import arithmetic_of, takes_int8
from fer_edge.convert.quantisation import quantise
from fer_edge.convert.quantisation.agreement import AnswerJudge, Difference, Outputs
from fer_edge.convert.rewrite import interpolates
from fer_edge.engine.errors import BadInput
from fer_edge.engine.model import read_facts

from ...conftest import REPOSITORY
from ..keras_models import small
from ..ssd_graph import Recipe, write_ssd
from .networks import INPUTS, network


def run(model: Any) -> np.ndarray:
    proto = ir.to_proto(model)
    onnx.checker.check_model(proto, full_check=True)
    session = ort.InferenceSession(proto.SerializeToString())
    return np.concatenate([session.run(None, {"x": x})[0] for x in INPUTS])


class Within(AnswerJudge):
    """Allows a mean difference of probabilities."""

    def __init__(self, allowed: float) -> None:
        super().__init__("y")
        object.__setattr__(self, "allowed", allowed)

    def __call__(self, found: Sequence[Outputs], expected: Sequence[Outputs]) -> Difference:
        off, _ = super().__call__(found, expected).figures["probabilities off by"]
        return Difference({"probabilities off by": (off, self.allowed)})


def off(difference: Difference) -> float:
    return difference.figures["probabilities off by"][0]


def test_all_of_a_tame_network_is_in_int8() -> None:
    model = network()
    before = run(model)
    result = quantise(model, INPUTS, Within(0.02))
    assert result.kept == ()
    assert result.layers == 3
    assert result.share == 1
    np.testing.assert_allclose(run(result.model), before, atol=0.05)
    np.testing.assert_array_equal(run(model), before)
    assert 0 < off(result.difference) <= 0.02
    assert arithmetic_of(result.model) == "int8"


def test_the_pairs_are_as_tensorrt_wants_them(capfd: pytest.CaptureFixture[str]) -> None:
    graph = quantise(network(), INPUTS, Within(0.02)).model.graph
    assert capfd.readouterr() == ("", "")
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
        assert node.inputs[2].const_value.dtype == ir.DataType.FLOAT
    (product,) = [node for node in graph if node.op_type == "MatMul"]
    assert product.inputs[1].const_value.dtype == ir.DataType.FLOAT16


def test_the_layer_that_hurts_stays_in_half() -> None:
    model = network(spread=300)
    rough = quantise(model, INPUTS, Within(1.0))
    allowed = off(rough.difference) / 3
    result = quantise(model, INPUTS, Within(allowed))
    assert len(result.kept) == 1
    assert 0 < result.share < 1
    assert off(result.difference) <= allowed
    convolutions = [node for node in result.model.graph if node.op_type == "Conv"]
    assert [takes_int8(node) for node in convolutions] == [True, False, True]
    assert convolutions[1].inputs[1].const_value.dtype == ir.DataType.FLOAT16
    assert arithmetic_of(result.model) == "int8"
    assert (
        np.abs(run(result.model) - run(model)).mean() < np.abs(run(rough.model) - run(model)).mean()
    )


def test_what_gains_nothing_is_an_error() -> None:
    with pytest.raises(BadInput, match=r"0% of the multiplications only.* take fp16"):
        quantise(network(), INPUTS, Within(1e-9))
    with pytest.raises(BadInput, match="2 calibration inputs are too few"):
        quantise(network(), INPUTS[:2], Within(1))


def test_pictures_in_which_nothing_is_found_are_no_judges() -> None:
    class Blind(Within):
        def findings(self, outputs: Outputs) -> int:
            return 0

    with pytest.raises(BadInput, match="give pictures with faces"):
        quantise(network(), INPUTS, Blind(1))


def test_the_command_line_makes_int8_of_both_kinds(tmp_path: Path) -> None:
    import keras

    write_ssd(tmp_path / "graph.pb", Recipe())
    small(keras).save(tmp_path / "e.keras")
    video = tmp_path / "v.mp4"
    from fer_edge.engine.cli import main as fer_run

    assert fer_run(["--max-frames", "30", "--save", str(video), "--quiet"]) == 0
    for name, named in (("graph.pb", []), ("e.keras", ["--order=fer2013"])):
        words = [f"{tmp_path}/{name}", *named, "--precision", "int8", "--calibrate", str(video)]
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
    assert main([f"{tmp_path}/e.keras", "--order=fer2013", *words, "--quiet"]) == 2
    assert message in capsys.readouterr().err
    assert not (tmp_path / "e.onnx").exists()
