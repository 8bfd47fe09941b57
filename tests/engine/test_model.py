from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import onnx
import pytest
from hypothesis import given
from hypothesis import strategies as st
from onnx import TensorProto, helper

from fer_edge.engine.errors import BadInput, InputNotFound
from fer_edge.engine.model import (
    METADATA_KEY,
    DetectorFacts,
    FaceFrame,
    InputFacts,
    ModelFacts,
    read_facts,
    sha256_of,
)

from .scripted import detector_facts, expression_facts


def write_onnx(path: Path, metadata: dict[str, str]) -> Path:
    value = helper.make_tensor_value_info
    graph = helper.make_graph(
        [helper.make_node("Identity", ["image"], ["boxes"])],
        "test",
        [value("image", TensorProto.FLOAT, [1, 3, 4, 4])],
        [value("boxes", TensorProto.FLOAT, [1, 3, 4, 4])],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    helper.set_model_props(model, metadata)
    onnx.save(model, path)
    return path


FRAMED = DetectorFacts("b", "s", 0, 0.0, 0.6, 9, face_frame=FaceFrame(0.8, 1.0, 0.0, 0.03))


@pytest.mark.parametrize(
    "facts", [detector_facts(), detector_facts(detector=FRAMED), expression_facts()]
)
def test_facts_survive_the_file(facts: ModelFacts, tmp_path: Path) -> None:
    path = write_onnx(tmp_path / "m.onnx", {"author": "x" * 300, METADATA_KEY: facts.to_json()})
    assert read_facts(path) == facts


def test_an_onnx_without_facts_says_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match=r"without fer-edge facts.*fer-convert"):
        read_facts(write_onnx(tmp_path / "m.onnx", {"author": "somebody"}))


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(InputNotFound, match=r"nothing\.onnx"):
        read_facts(tmp_path / "nothing.onnx")


@given(st.binary(max_size=400))
def test_random_bytes_are_refused_in_one_line(tmp_path_factory, data: bytes) -> None:
    path = tmp_path_factory.mktemp("random") / "m.onnx"
    path.write_bytes(data)
    with pytest.raises(BadInput) as caught:
        read_facts(path)
    assert "\n" not in str(caught.value)


@given(share=st.floats(0.01, 0.99))
def test_a_truncated_file_is_refused(tmp_path_factory, share: float) -> None:
    path = tmp_path_factory.mktemp("cut") / "m.onnx"
    write_onnx(path, {METADATA_KEY: detector_facts().to_json()})
    data = path.read_bytes()
    path.write_bytes(data[: int(len(data) * share)])
    with pytest.raises(BadInput):
        read_facts(path)


@pytest.mark.parametrize(
    "damage",
    [
        {"schema": 2},
        {"labels": []},
        {"labels": ["a", "a"]},
        {"kind": "poet"},
        {"detector": None},
        {"detector": {"boxes_output": "b"}},
        {"extra": 1},
        {"input": {}},
    ],
)
def test_damaged_facts_are_refused(damage: dict[str, object]) -> None:
    raw = {**json.loads(detector_facts().to_json()), **damage}
    with pytest.raises(BadInput, match=r"x\.onnx.*fer-convert"):
        ModelFacts.from_json(json.dumps(raw), "x.onnx")


@pytest.mark.parametrize(
    "change",
    [{"colour": "cmyk"}, {"resize": "magic"}, {"height": 0}, {"width": 9999}, {"mean": (0.0,)}],
)
def test_impossible_inputs_are_refused(change: dict[str, object]) -> None:
    facts = InputFacts("image", 8, 8, "rgb", "area", (0.0,) * 3, (1.0,) * 3)
    with pytest.raises(BadInput):
        replace(facts, **change)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "change",
    [
        {"least_confidence": 1.2}, {"least_face": -1}, {"least_face": float("nan")},
        {"least_face": "large"}, {"most_yaw": 100}, {"most_pitch": None},
    ],
)  # fmt: skip
def test_impossible_bounds_are_refused(change: dict[str, object]) -> None:
    raw = json.loads(expression_facts().to_json())
    raw["expression"] |= change
    with pytest.raises(BadInput, match=r"x\.onnx.*fer-convert"):
        ModelFacts.from_json(json.dumps(raw), "x.onnx")


def test_sha256_is_that_of_the_file(tmp_path: Path) -> None:
    (tmp_path / "abc").write_bytes(b"abc")
    assert sha256_of(tmp_path / "abc").startswith("ba7816bf8f01cfea414140de5dae2223")
