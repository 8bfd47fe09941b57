"""What is given for a model and is none: one line says what it is."""

from __future__ import annotations

from pathlib import Path

import pytest

from fer_edge.engine.errors import BadInput
from fer_edge.engine.model import read_facts


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("m.onnx", b"version https://git-lfs.github.com/spec/v1\n", "git lfs pull"),
        ("m.engine", b"version https://git-lfs.github.com/spec/v1\n", "git lfs pull"),
        ("m.onnx", b"\x08\x01\x12\x03abc", "a SavedModel of TensorFlow"),
        ("m.h5", b"\x89HDF\r\n\x1a\n" + bytes(90), "a Keras model; make an ONNX file with fer-c"),
        ("m.keras", b"PK\x03\x04" + bytes(90), "a Keras model; make an ONNX file with fer-convert"),
        ("m.pb", b"\x0a\x03abc", "a TensorFlow graph; make an ONNX file with fer-convert"),
        ("m.onnx", b"PK\x03\x04" + bytes(90), "not an ONNX file"),
    ],
)
def test_a_file_is_named(name: str, content: bytes, words: str, tmp_path: Path) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(BadInput, match=words):
        read_facts(tmp_path / name)


def test_a_folder_is_told_from_a_saved_model(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="is a folder; give the model file itself"):
        read_facts(tmp_path)
    (tmp_path / "saved_model.pb").write_bytes(b"\x08\x01\x12\x03abc")
    with pytest.raises(BadInput, match="a SavedModel of TensorFlow"):
        read_facts(tmp_path)
