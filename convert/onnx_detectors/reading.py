"""An ONNX file of anyone: checked, and brought to one opset."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from fer_edge.engine.errors import BadInput, first_line, last_line

from ..onnx_from_tensorflow import IR_VERSION, OPSET
from ..safety import check_onnx

# Detectors of faces are small; the frozen SSD has 22 MB.
MAX_BYTES = 256 << 20


def read_onnx(path: Path) -> Any:
    """Read an ONNX file whose every operator is on the allow-list.

    Returns:
        An `onnx.ModelProto`, as it is in the file.

    Raises:
        BadInput: no ONNX model, one that is too large, or one whose weights lie elsewhere.
        UnsafeModel: an operator that has no place in a detector.
    """
    import onnx

    size = path.stat().st_size
    if size > MAX_BYTES:
        raise BadInput(f"{path}: {size >> 20} MiB are no face detector; at most 256 MiB are read")
    proto = onnx.ModelProto()
    try:
        proto.ParseFromString(path.read_bytes())
    except Exception as error:  # protobuf's DecodeError has moved between versions
        raise BadInput(f"{path}: not an ONNX model, or cut off") from error
    check_onnx(proto, path)
    try:
        onnx.checker.check_model(proto)
    # The checker's own message may hold a name of the file's that is no text.
    except (onnx.checker.ValidationError, UnicodeDecodeError) as error:
        reason = first_line(error)
        raise BadInput(f"{path}: not a valid ONNX model ({reason})") from error
    return proto


def at_our_opset(proto: Any) -> Any:
    """A copy with opset 17 and IR version 8, which every runtime reads.

    Raises:
        BadInput: it cannot be brought there.
    """
    import onnx
    from onnx import version_converter

    copy = onnx.ModelProto()
    copy.CopyFrom(proto)
    has = next(entry.version for entry in copy.opset_import if entry.domain in ("", "ai.onnx"))
    if has != OPSET:
        try:
            copy = version_converter.convert_version(copy, OPSET)
        except Exception as error:  # RuntimeError, ConvertError, and others from C++
            reason = last_line(error)
            raise BadInput(f"opset {has} cannot be brought to {OPSET} ({reason})") from error
    copy.ir_version = IR_VERSION
    return copy
