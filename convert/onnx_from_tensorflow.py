"""TensorFlow graphs to ONNX, by tf2onnx, with the settings that every runtime can read."""

from __future__ import annotations

import logging
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any

from fer_edge.engine.errors import BadInput, first_line

from .tensorflow import import_tensorflow

# The newest that TensorRT 8.6 parses; ONNX Runtime and OpenVINO have read it for years.
OPSET = 17
IR_VERSION = 8
# Read by tf2onnx.
CATCH_ERRORS = "TF2ONNX_CATCH_ERRORS"


def onnx_from_graph_def(graph_def: Any, image: str, outputs: list[str]) -> Any:
    """Convert a GraphDef with one input.

    Args:
        graph_def: a `tensorflow.GraphDef` without variables.
        image: tensor name of its placeholder, NHWC; it becomes NCHW.
        outputs: tensor names, kept as ONNX output names.

    Returns:
        An `onnx.ModelProto`, opset 17, IR version 8.

    Raises:
        BadInput: an operator without a counterpart in ONNX.
    """
    import_tensorflow()
    import tf2onnx

    logging.getLogger("tf2onnx").setLevel(logging.ERROR)

    def converted() -> Any:
        model, _ = tf2onnx.convert.from_graph_def(
            graph_def,
            input_names=[image],
            output_names=outputs,
            opset=OPSET,
            inputs_as_nchw=[image],
        )
        model.ir_version = IR_VERSION
        return model

    with suppress(Exception), _without_copies():
        return converted()
    try:
        return converted()
    except (ValueError, RuntimeError, KeyError, AssertionError) as error:
        reason = first_line(error)
        raise BadInput(f"cannot be written as ONNX ({reason})") from error


@contextmanager
def _without_copies() -> Iterator[None]:
    """Let tf2onnx fail where one of its optimisers does.

    In order to leave such a one out, it copies the whole graph before each of them, a quarter
    of the time of a conversion.
    """
    before = os.environ.get(CATCH_ERRORS)
    os.environ[CATCH_ERRORS] = "FALSE"
    try:
        yield
    finally:
        del os.environ[CATCH_ERRORS]
        if before is not None:
            os.environ[CATCH_ERRORS] = before
