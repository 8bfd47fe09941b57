"""Batch normalisation, and other factors and offsets a channel, folded into convolutions.

A convolution is linear: `(W * x + b) * f + o = (W * f) * x + (b * f + o)`.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from .editing import Array, add_constant, array_of, attribute, bypass, only_user


def fold_affine(graph: Any) -> int:
    """Fold what follows each Conv or ConvTranspose into its weights; returns how many went."""
    folded = 0
    for conv in list(graph):
        while _convolves(conv) and _fold_next(graph, conv):
            folded += 1
    return folded


def _convolves(node: Any) -> bool:
    return node.op_type == "Conv" or (
        node.op_type == "ConvTranspose" and attribute(node, "group", 1) == 1
    )


def _fold_next(graph: Any, conv: Any) -> bool:
    weights = array_of(conv.inputs[1])
    follower = only_user(conv.outputs[0])
    if weights is None or follower is None:
        return False
    bias_value = conv.inputs[2] if len(conv.inputs) > 2 else None
    bias = array_of(bias_value)
    if bias_value is not None and bias is None:
        return False
    # ConvTranspose's weights are (in, out, h, w).
    axis = int(conv.op_type == "ConvTranspose")
    channels = weights.shape[axis]
    change = _factor_and_offset(follower, conv.outputs[0], channels)
    if change is None:
        return False
    factor, offset = change
    wide = weights.astype(np.float64) * factor.reshape(-1, *[1] * (weights.ndim - 1 - axis))
    moved = (0 if bias is None else bias.astype(np.float64)) * factor + offset
    name = conv.inputs[1].name
    kernel = add_constant(graph, f"{name}_folded", wide.astype(weights.dtype))
    shift = add_constant(graph, f"{name}_bias", moved.astype(weights.dtype))
    if len(conv.inputs) < 3:
        conv.resize_inputs(3)
    conv.replace_input_with(1, kernel)
    conv.replace_input_with(2, shift)
    return bypass(graph, follower, conv.outputs[0])


def _factor_and_offset(node: Any, value: Any, channels: int) -> tuple[Array, Array] | None:
    """(f, o), float64 `(channels,)`, if the node computes `value * f + o` a channel."""
    one, zero = np.ones(channels), np.zeros(channels)
    if node.op_type == "BatchNormalization" and node.inputs[0] is value:
        return _batch_norm(node)
    if node.op_type not in ("Add", "Sub", "Mul", "Div") or len(node.inputs) != 2:
        return None
    first = node.inputs[0] is value
    other = _per_channel(array_of(node.inputs[1 if first else 0]), channels)
    if other is None:
        return None
    if node.op_type == "Add":
        return one, other
    if node.op_type == "Mul":
        return other, zero
    if node.op_type == "Sub":
        return (one, -other) if first else (-one, other)
    return (1 / other, zero) if first and (other != 0).all() else None


def _batch_norm(node: Any) -> tuple[Array, Array] | None:
    parameters = [array_of(value) for value in node.inputs[1:5]]
    if any(found is None for found in parameters) or attribute(node, "training_mode", 0):
        return None
    gamma, beta, mean, variance = (np.asarray(p, np.float64) for p in parameters)
    factor = gamma / np.sqrt(variance + attribute(node, "epsilon", 1e-5))
    return factor, beta - mean * factor


def _per_channel(array: Array | None, channels: int) -> Array | None:
    """A constant as float64 `(channels,)` if it is one number a channel of NCHW, or one for all."""
    if array is None or array.dtype.kind != "f":
        return None
    if array.size == 1:
        return np.full(channels, float(array.ravel()[0]))
    shape = (1,) * (4 - array.ndim) + array.shape
    if array.ndim > 4 or shape != (1, channels, 1, 1):
        return None
    return array.ravel().astype(np.float64)
