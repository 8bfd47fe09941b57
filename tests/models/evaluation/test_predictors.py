from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from fer_edge.convert.cli import main as convert
from fer_edge.engine.errors import BadInput, InputNotFound
from fer_edge.models.evaluation.evaluate import seen_in_training
from fer_edge.models.evaluation.predictors import align, open_predictor
from fer_edge.models.evaluation.shown import choose_split
from fer_edge.models.keras_backend import import_keras

keras = import_keras()

from fer_edge.models.data import DataSet  # noqa: E402

from ...convert.keras_models import small  # noqa: E402
from ..tiny_faces import SEVEN, shades  # noqa: E402

IMAGES = np.random.default_rng(0).integers(0, 256, (70, 48, 48)).astype(np.uint8)


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("range_", [None, (0.0, 1.0)])
def test_a_converted_model_answers_as_its_source(
    tmp_path: Path, channels: int, range_: tuple[float, float] | None
) -> None:
    source, onnx = tmp_path / "m.keras", tmp_path / "m.onnx"
    small(keras, (24, 20, channels)).save(source)
    words = [] if range_ is None else [f"--input-range={range_[0]},{range_[1]}"]
    assert convert([str(source), "-o", str(onnx), "--order=fer2013", "--quiet", *words]) == 0
    with open_predictor(source, input_range=range_) as before:
        expected = before(IMAGES)
    with open_predictor(onnx, "onnxruntime") as after:
        np.testing.assert_allclose(after(IMAGES), expected, atol=2e-4)
        assert after.labels == SEVEN
        assert after(IMAGES[:0]).shape == (0, 7)
    assert before.labels is None


def test_what_is_no_expression_model_is_refused(tmp_path: Path) -> None:
    from fer_edge.engine.config import DETECTOR_FILE, shipped_weights

    with pytest.raises(InputNotFound, match="no such model"):
        open_predictor(tmp_path / "m.onnx")
    with pytest.raises(BadInput, match="a detector model"):
        open_predictor(shipped_weights(DETECTOR_FILE))
    (tmp_path / "m.keras").write_text("no model")
    with pytest.raises(BadInput, match=r"m\.keras"):
        open_predictor(tmp_path / "m.keras")


def test_columns_are_matched_by_name() -> None:
    rows = np.array([[0.1, 0.2, 0.7]], np.float32)
    np.testing.assert_allclose(align(rows, ("a", "b", "c"), ("c", "a")), [[0.875, 0.125]])
    np.testing.assert_allclose(align(rows, ("A", "b", "C"), ("c", "a", "B")), [[0.7, 0.1, 0.2]])
    np.testing.assert_allclose(align(rows, None, ("x", "y", "z")), rows)
    with pytest.raises(BadInput, match="knows a, b, c, and not d of the data set"):
        align(rows, ("a", "b", "c"), ("a", "d"))
    with pytest.raises(BadInput, match="3 classes, the data set 2"):
        align(rows, None, ("a", "b"))


def test_the_split_to_judge_by() -> None:
    data = DataSet("d", SEVEN, {"Training": shades(7), "PublicTest": shades(7)})
    assert choose_split(data.name, data.splits, None) == "PublicTest"
    assert choose_split(data.name, data.splits, "training") == "Training"
    with pytest.raises(BadInput, match="no split 'final'; it has Training, PublicTest"):
        choose_split(data.name, data.splits, "final")
    seen = seen_in_training(data, "PublicTest")
    assert seen is not None
    assert seen.all()
    assert seen_in_training(data, "Training") is None


def test_either_head_answers_and_a_missing_one_is_named(tmp_path: Path) -> None:
    from fer_edge.models.networks import build_network

    options = {"widths": [4, 8], "convolutions": [1, 1], "label_head": True}
    build_network("plain", 7, options).save(tmp_path / "two.keras")
    build_network("plain", 7, {**options, "label_head": False}).save(tmp_path / "one.keras")
    for name in ("one", "two"):
        source, target = str(tmp_path / f"{name}.keras"), str(tmp_path / f"{name}.onnx")
        assert convert([source, "-o", target, "--order=fer2013", "--quiet"]) == 0
    answers = {}
    for suffix in ("keras", "onnx"):
        for head in ("votes", "label"):
            path = tmp_path / f"two.{suffix}"
            with open_predictor(path, "onnxruntime", head=head) as predictor:
                answers[suffix, head] = predictor(IMAGES[:8])
                assert predictor.names_labels == (head == "label")
        with pytest.raises(BadInput, match="has no head 'label'"):
            open_predictor(tmp_path / f"one.{suffix}", "onnxruntime", head="label")
    for head in ("votes", "label"):
        np.testing.assert_allclose(answers["onnx", head], answers["keras", head], atol=2e-4)
    assert (answers["onnx", "votes"] != answers["onnx", "label"]).any()
