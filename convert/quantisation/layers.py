"""What a convolution is in int8: scales, weights and bias."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import onnx_ir as ir

from fer_edge.engine.types import Floats

from ..rewrite.editing import array_of, attribute
from .observe import Spread, weights_of

_MOST, _LEAST = 127, -128
# Weights in seven bits: processors without VNNI add two products of bytes in 16 bits, which
# overflow with more (OpenVINO on AVX2: 0.37 off in a face's score instead of 0.02; with eight
# bits it would be 0.020 instead of 0.022 elsewhere).
_WEIGHT_MOST = 63
_RANGES = np.geomspace(0.1, 1, 32)
_WEIGHT_RANGES = np.linspace(0.6, 1, 21)

Bytes = npt.NDArray[np.int8]


@dataclass(frozen=True)
class Int8Layer:
    """A convolution in int8.

    Attributes:
        step: of its input.
        weights: int8 `(outputs, inputs, height, width)`.
        scales: float32 `(outputs,)`, of the weights.
        bias: float32 `(outputs,)`.
    """

    step: float
    weights: Bytes
    scales: Floats
    bias: Floats


def int8_layer(node: ir.Node, spread: Spread, step: float) -> Int8Layer:
    """A convolution with constant weights in int8.

    Rounding its weights and its input would move the mean of an output channel; the bias takes
    that back, but for the borders of the picture (Nagel et al., arXiv 1906.04721, section 4.2).

    Args:
        node: the convolution, in float.
        spread: of its input.
        step: of its input, see `activation_step`.
    """
    weights = weights_of(node)
    quantised, scales = weights_in_int8(weights)
    moved = activation_in_int8(spread.samples, step).mean(axis=1) - spread.samples.mean(axis=1)
    before = _product(node, weights, spread.mean)
    after = _product(node, quantised * scales[:, None, None, None], spread.mean + moved)
    given = array_of(node.inputs[2]) if len(node.inputs) > 2 else None
    bias = (0 if given is None else given) + before - after
    return Int8Layer(step, quantised, scales, bias.astype(np.float32))


def activation_step(spread: Spread) -> float:
    """The step of int8 by which the values are off least, in the square mean.

    One that holds all values would be one for the rare large ones (Wu et al., arXiv 2004.09602).
    """
    peak = max(float(spread.peak.max()), 1e-12)
    steps = peak * _RANGES / _MOST
    values = spread.samples
    errors = [np.mean(np.square(activation_in_int8(values, step) - values)) for step in steps]
    return float(steps[int(np.argmin(errors))])


def activation_in_int8(values: Floats, step: float) -> Floats:
    """What values become by one Q/DQ pair."""
    return np.clip(np.rint(values / np.float32(step)), _LEAST, _MOST) * np.float32(step)


def weights_in_int8(weights: Floats) -> tuple[Bytes, Floats]:
    """(weights, float32 scales): a scale an output channel, each the one that is off least.

    Args:
        weights: float32 `(outputs, inputs, height, width)`.
    """
    rows = weights.reshape(len(weights), -1)
    peaks = np.maximum(np.abs(rows).max(axis=1), 1e-12)
    scales = peaks / _WEIGHT_MOST
    least = np.full(len(rows), np.inf)
    for share in _WEIGHT_RANGES:
        steps = peaks * np.float32(share / _WEIGHT_MOST)
        errors = np.square(_symmetric(rows, steps) * steps[:, None] - rows).sum(axis=1)
        better = errors < least
        least[better], scales[better] = errors[better], steps[better]
    return _symmetric(rows, scales).astype(np.int8).reshape(weights.shape), scales


def _symmetric(rows: Floats, scales: Floats) -> Floats:
    return np.clip(np.rint(rows / scales[:, None]), -_WEIGHT_MOST, _WEIGHT_MOST)


def _product(node: ir.Node, weights: Floats, mean: Floats) -> Any:
    """What a constant picture with these channels gives, without the bias."""
    groups = attribute(node, "group", 1)
    rows = weights.sum(axis=(2, 3)).reshape(groups, -1, weights.shape[1])
    return np.einsum("goi,gi->go", rows, mean.reshape(groups, -1)).ravel()
