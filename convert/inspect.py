"""What kind of model file is this? Told by its content, not its name."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from fer_edge.engine.errors import BadInput, InputNotFound
from fer_edge.engine.misnamed import foreign
from fer_edge.engine.model import read_facts

# `onnx` is a file of fer-convert, `onnx_detector` one of anyone else.
Kind = Literal["frozen_graph", "keras", "onnx", "onnx_detector"]
MAX_INPUT_BYTES = 2 << 30
HDF5_SIGNATURE = b"\x89HDF\r\n\x1a\n"
ZIP_SIGNATURE = b"PK\x03\x04"
# GraphDef.node is field 1 with wire type 2; library and versions are fields 2 and 4.
_GRAPH_DEF_TAGS = (0x0A, 0x12, 0x22)


def identify(path: Path) -> Kind:
    """Look at a model file.

    Raises:
        InputNotFound: no file at `path`.
        BadInput: no model of these kinds.
    """
    if (other := foreign(path)) is not None:
        raise BadInput(f"{path}: {other}")
    if path.is_dir():
        raise BadInput(f"{path}: is a folder; give the frozen graph (.pb) or Keras file itself")
    if not path.is_file():
        raise InputNotFound(f"{path}: no such file")
    size = path.stat().st_size
    if not 0 < size <= MAX_INPUT_BYTES:
        raise BadInput(f"{path}: {size} bytes is no model; at most 2 GiB are read")
    try:
        with path.open("rb") as file:
            head = file.read(8)
    except OSError as error:
        raise BadInput(f"{path}: cannot be read ({error.strerror})") from error
    if head == HDF5_SIGNATURE or head.startswith(ZIP_SIGNATURE):
        return "keras"
    if (onnx := _onnx_kind(path)) is not None:
        return onnx
    if head[0] in _GRAPH_DEF_TAGS:
        return "frozen_graph"
    raise BadInput(
        f"{path}: neither a frozen TensorFlow graph nor a Keras or ONNX model; give the "
        "frozen_inference_graph.pb of an export, an .h5 or .keras file, or an .onnx detector"
    )


def _onnx_kind(path: Path) -> Kind | None:
    try:
        read_facts(path)
    except BadInput as error:
        if "unusable model facts" in str(error):
            raise
        return "onnx_detector" if "without fer-edge facts" in str(error) else None
    return "onnx"
