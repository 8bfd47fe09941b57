from __future__ import annotations

import json
from types import SimpleNamespace
from typing import Any

import pytest

from fer_edge.engine.errors import BadInput
from fer_edge.engine.tensorrt.reached import check_reached, inspected, reached_precision


def layer(kind: str, told: str, parameters: str = "") -> dict[str, Any]:
    return {
        "Name": "x", "LayerType": kind, "ParameterType": parameters,
        "Inputs": [{"Name": "a", "Dimensions": [1, 3, 8, 8], "Format/Datatype": told}],
    }  # fmt: skip


# In the words of TensorRT 8.6 and of 10.
LAYERS = [
    layer("CaskConvolution", "Channel major FP16 format where channel % 8 == 0", "Convolution"),
    layer("CaskConvolution", "Thirty-two wide channel vectorized row major Int8 format"),
    layer("CaskGemmConvolution", "Row major linear FP32"),
    layer("gemm", "Half"),
    layer("Reformat", "Row major linear FP32"),
    {"Name": "y", "LayerType": "NoOp", "Inputs": []},
    "a name alone",
]


def test_the_inspector_s_words_are_counted() -> None:
    found = reached_precision(json.dumps({"Layers": LAYERS, "Bindings": []}))
    assert found == {"fp16": 2, "int8": 1, "fp32": 1}


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"Layers": ["only", "names"]}'])
def test_where_nothing_is_told_nothing_is_concluded(text: str) -> None:
    assert reached_precision(text) == {}
    check_reached({}, "fp16", "m")


@pytest.mark.parametrize(
    ("found", "wanted", "fell"),
    [
        ({"fp16": 46, "fp32": 1}, "fp16", False),
        ({"fp32": 47}, "fp16", True),
        ({"fp32": 40, "fp16": 7}, "fp16", True),
        ({"int8": 20, "fp16": 27}, "int8", False),
        ({"fp16": 47}, "int8", True),
        ({"fp32": 47}, "fp32", False),
        ({"fp16": 47}, "fp32", True),
    ],
)
def test_a_fallback_is_an_error(found: dict[str, int], wanted: str, fell: bool) -> None:
    if not fell:
        check_reached(found, wanted, "m.pb")
        return
    with pytest.raises(BadInput, match=rf"m\.pb: asked for {wanted}, but .* in fp"):
        check_reached(found, wanted, "m.pb")


def test_the_inspector_is_asked_for_json() -> None:
    asked: list[object] = []
    inspector = SimpleNamespace(get_engine_information=lambda form: asked.append(form) or "{}")
    engine = SimpleNamespace(create_engine_inspector=lambda: inspector)
    trt = SimpleNamespace(LayerInformationFormat=SimpleNamespace(JSON="json"))
    assert inspected(trt, engine) == "{}"
    assert asked == ["json"]
