from __future__ import annotations

from pathlib import Path

import pytest

from fer_edge.models.evaluation.comparison import comparison_text, names_of


@pytest.mark.parametrize(
    ("paths", "names"),
    [
        (["a/x.onnx", "b/y.onnx"], ["x.onnx", "y.onnx"]),
        (["a/x.onnx", "b/x.onnx"], ["a/x.onnx", "b/x.onnx"]),
        (["a/x.onnx", "a/x.onnx"], ["x.onnx (1)", "x.onnx (2)"]),
    ],
)
def test_names_tell_models_apart(paths: list[str], names: list[str]) -> None:
    assert names_of([Path(path) for path in paths]) == names


def test_columns_of_the_text_stand_under_their_names() -> None:
    table = {"accuracy": ["81.0% (80.1 to 82.0)", "7.0%"], "recall, happy": ["-", "9.5%"]}
    lines = comparison_text(["first.onnx", "a-longer-name.keras"], table).splitlines()
    assert [len(line) for line in lines] == [len(lines[0])] * 3
    assert lines[1].startswith("accuracy")
    for line, last in zip(lines, ["a-longer-name.keras", "7.0%", "9.5%"], strict=True):
        assert line.endswith(f" {last}")
