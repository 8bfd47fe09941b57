"""Linear Resizes of a picture as convolutions with constant taps.

A CPU's Resize takes longer than the convolution behind it: OpenVINO's takes 90 of 590 us for
one gray face of 48 pixels to 128, in a MobileNet. Two products with constant matrices give the
same picture, and they are written as convolutions because TensorRT-RTX has no fp32 matrix
product for Turing.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import onnx_ir as ir

from .editing import Array, add_constant, array_of, attribute, bypass, forget_shapes

# Kernels are as long as a side, and a longer one is no bargain.
MAX_SIDE = 96
MAX_CHANNELS = 3


def convolve_resizes(graph: Any) -> int:
    """Turn linear Resizes of small NCHW pictures into convolutions; returns how many.

    A convolution whose kernels are whole rows computes one output column each and writes it as
    a channel, which a Reshape lays down as a row: columns first, and then, by the same token,
    rows. No Transpose is needed.
    """
    turned = 0
    for node in list(graph):
        sides = _sides(node)
        if sides is None:
            continue
        (height, width), (new_height, new_width) = sides
        channels = node.inputs[0].shape[1]
        # Channels join the batch: each is a picture by itself.
        value = _reshaped(graph, node, node.inputs[0], (-1, 1, height, width))
        value = _across(graph, node, value, interpolation(width, new_width))
        value = _reshaped(graph, node, value, (-1, 1, new_width, height))
        value = _across(graph, node, value, interpolation(height, new_height))
        value = _reshaped(graph, node, value, (-1, channels, new_height, new_width))
        bypass(graph, node, value)
        turned += 1
    if turned:
        # Shape inference rounds float32 scales down: 48 pixels by 112 / 48 would be 111.
        forget_shapes(graph)
    return turned


def interpolates(node: Any) -> bool:
    """Whether a node is a Conv as those above: weighted means over whole rows of one channel."""
    if node.op_type != "Conv":
        return False
    taps = array_of(node.inputs[1])
    return (
        taps is not None
        and taps.ndim == 4
        and taps.shape[1:3] == (1, 1)
        and taps.shape[3] > 1
        and bool((taps >= 0).all() and np.allclose(taps.sum(axis=3), 1, atol=1e-3))
    )


def interpolation(old: int, new: int) -> npt.NDArray[np.float32]:
    """Weights `(new, old)` of linear interpolation, pixel centres at halves, edges repeated."""
    at = np.clip((np.arange(new) + 0.5) * old / new - 0.5, 0, old - 1)
    distance = np.abs(at[:, None] - np.arange(old))
    return np.maximum(1 - distance, 0).astype(np.float32)


def _sides(node: Any) -> tuple[tuple[int, int], tuple[int, int]] | None:
    """Height and width before and after, of a Resize that can be written so."""
    if node.op_type != "Resize" or len(node.inputs) < 3:
        return None
    plain = (
        attribute(node, "mode", "nearest") == "linear"
        and attribute(node, "coordinate_transformation_mode", "half_pixel") == "half_pixel"
        and not attribute(node, "antialias", 0)
        and attribute(node, "axes") is None
    )
    shape, scales = node.inputs[0].shape, array_of(node.inputs[2])
    if not plain or shape is None or len(shape) != 4 or not _known(shape):
        return None
    if scales is None or scales.shape != (4,) or not np.array_equal(scales[:2], [1, 1]):
        return None
    before = int(shape[2]), int(shape[3])
    exact = [side * float(scale) for side, scale in zip(before, scales[2:], strict=True)]
    after = round(exact[0]), round(exact[1])
    if max(abs(new - side) for new, side in zip(after, exact, strict=True)) > 1e-3:
        return None
    return (before, after) if min(after) > 0 else None


def _known(shape: Any) -> bool:
    channels, *sides = list(shape)[1:]
    if not all(isinstance(length, int) for length in (channels, *sides)):
        return False
    return channels <= MAX_CHANNELS and max(sides) <= MAX_SIDE


def _across(graph: Any, before: Any, value: Any, matrix: Array) -> Any:
    """`(n, 1, h, w)` and a matrix `(new, w)` to `(n, new, h, 1)`."""
    taps = add_constant(graph, "interpolation", matrix[:, None, None, :])
    return _inserted(graph, before, "Conv", [value, taps], {"kernel_shape": taps.shape[2:]})


def _reshaped(graph: Any, before: Any, value: Any, target: tuple[int, ...]) -> Any:
    constant = add_constant(graph, "resized_shape", np.array(target, np.int64))
    return _inserted(graph, before, "Reshape", [value, constant], {})


def _inserted(graph: Any, before: Any, op_type: str, inputs: list[Any], attributes: Any) -> Any:
    node = ir.node(op_type, inputs, attributes)
    graph.insert_before(before, node)
    return node.outputs[0]
