"""The body of an ONNX detector: any size of picture in, its prediction maps out."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import onnx_ir as ir
from onnx_ir.passes import common

from fer_edge.engine.errors import BadInput

from ..rewrite import clean_up, free_rows, scale_resizes, tidy
from ..rewrite.transposes import permutation

INPUT = "image"
STEP = 32
STRIDES = (4, 8, 16, 32)
# A size at which shapes are looked at; its sides differ, so that they can be told apart.
PROBE = (256, 320)
# Of any tensor at that size, in elements.
_LARGEST = 1 << 28
_TO_ROWS = (0, 2, 3, 1)


@dataclass(frozen=True)
class Output:
    """One output of a detector.

    Attributes:
        value: an `onnx_ir.Value` of the opened body.
        shape: at an input of `PROBE`.
    """

    value: Any
    shape: tuple[int, ...]

    def cells(self, channels: int) -> tuple[int, int] | None:
        """(stride, anchors a cell) if these are `channels` numbers an anchor, or None.

        Either a map `(1, channels, h, w)`, or rows `(1, h * w * anchors, channels)` of one.
        """
        height, width = PROBE
        for stride in STRIDES:
            size = (height // stride, width // stride)
            if self.shape == (1, channels, *size):
                return stride, 1
            if self.shape == (1, size[0] * size[1], channels):
                return stride, 1
        return None

    def map(self, channels: int) -> Map | None:
        """The map `(1, channels, h, w)` that this output is, or lays down as rows."""
        value, sigmoid, laid_down = self.value, False, False
        while (node := value.producer()) is not None:
            if node.op_type == "Sigmoid" and not sigmoid:
                sigmoid = True
            elif node.op_type == "Transpose" and permutation(node) == _TO_ROWS:
                laid_down = True
            elif node.op_type not in ("Identity", "Reshape"):
                break
            value = node.inputs[0]
        shape = value.shape
        if shape is None or len(shape) != 4 or shape[1] != channels:
            return None
        # One channel has the same order either way.
        if channels > 1 and laid_down != (len(self.shape) == 3):
            return None
        return Map(value, sigmoid)


@dataclass(frozen=True)
class Map:
    """A prediction map.

    Attributes:
        value: an `onnx_ir.Value`, `(1, channels, h, w)`, before any sigmoid.
        sigmoid: whether one follows.
    """

    value: Any
    sigmoid: bool


def open_body(proto: Any) -> Any:
    """Bring a network to `(1, 3, height, width)` in, both sides open.

    Args:
        proto: an `onnx.ModelProto` of opset 17.

    Returns:
        An `onnx_ir.Model`, cleaned up.

    Raises:
        BadInput: not one picture in, or one of a size that is not in steps of 32.
    """
    own = size_of(proto)
    model = ir.from_proto(proto)
    common.RemoveInitializersFromInputsPass()(model)
    graph = model.graph
    _set_size(graph, *(own or PROBE))
    tidy(model)
    scale_resizes(graph)
    free_rows(graph)
    graph.inputs[0].name = INPUT
    _set_size(graph, "height", "width")
    clean_up(model)
    return model


def size_of(proto: Any) -> tuple[int, int] | None:
    """(height, width) of a network's one input, or None where it leaves one of them open.

    Raises:
        BadInput: see `open_body`.
    """
    weights = {tensor.name for tensor in proto.graph.initializer}
    inputs = [value for value in proto.graph.input if value.name not in weights]
    kinds = [value.type.tensor_type for value in inputs]
    axes = list(kinds[0].shape.dim) if kinds else []
    # TensorProto.FLOAT is 1.
    if len(kinds) != 1 or len(axes) != 4 or axes[1].dim_value != 3 or kinds[0].elem_type != 1:
        found = ", ".join(_shape_of(kind) for kind in kinds) or "nothing"
        raise BadInput(f"takes {found}; expected one picture, float32 (1, 3, height, width)")
    height, width = (axis.dim_value for axis in axes[2:])
    if not height or not width:
        return None
    if height % STEP or width % STEP:
        raise BadInput(f"takes pictures of {width}x{height}; expected sides in steps of {STEP}")
    return int(height), int(width)


def _shape_of(kind: Any) -> str:
    return str(tuple(axis.dim_value or axis.dim_param or "?" for axis in kind.shape.dim))


def outputs_of(model: Any) -> list[Output]:
    """The outputs of an opened body, with their shapes at `PROBE`.

    Raises:
        BadInput: shapes that cannot be told, or tensors that are too large.
    """
    fixed = ir.from_proto(ir.to_proto(model))
    _set_size(fixed.graph, *PROBE)
    tidy(fixed)
    for node in fixed.graph:
        for value in node.outputs:
            size = 1
            for axis in value.shape or ():
                size *= axis if isinstance(axis, int) else 1
            if size > _LARGEST:
                raise BadInput(f"{value.name!r} has {size:,} elements; no detector needs so many")
    found = []
    for value, probe in zip(model.graph.outputs, fixed.graph.outputs, strict=True):
        shape = None if probe.shape is None else list(probe.shape)
        if shape is None or not all(isinstance(axis, int) for axis in shape):
            raise BadInput(f"the shape of its output {value.name!r} cannot be told: {shape}")
        found.append(Output(value, tuple(shape)))
    return found


def _set_size(graph: Any, height: int | str, width: int | str) -> None:
    """Give the input a size, and have all other shapes inferred from it."""
    graph.inputs[0].shape = ir.Shape([1, 3, height, width])
    for node in graph:
        for value in node.outputs:
            value.shape = None
