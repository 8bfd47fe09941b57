"""What goes into each convolution of a float network, seen on pictures."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import onnx_ir as ir

from fer_edge.engine.types import Floats

from ..rewrite.editing import array_of
from .execution import open_session

# Values of a tensor that are kept, over all inputs.
MAX_SAMPLES = 1 << 18


@dataclass(frozen=True)
class Spread:
    """Values of one tensor `(1, channels, height, width)` over the inputs.

    Attributes:
        samples: float32 `(channels, n)`, taken at places chosen by chance.
        peak: float32 `(channels,)`, the largest magnitude of all values.
        mean: float32 `(channels,)`, of all values.
        size: (height, width).
    """

    samples: Floats
    peak: Floats
    mean: Floats
    size: tuple[int, int]

    def divided(self, factors: Floats) -> Spread:
        """The same with each channel divided by a number."""
        return Spread(
            self.samples / factors[:, None], self.peak / factors, self.mean / factors, self.size
        )


def observe(model: Any, inputs: Sequence[Floats]) -> dict[str, Spread]:
    """The inputs of all convolutions by name.

    Args:
        model: an `onnx_ir.Model` with one input.
        inputs: float32 `(1, channels, height, width)` each.
    """
    names = list(dict.fromkeys(n.inputs[0].name for n in model.graph if n.op_type == "Conv"))
    feed = model.graph.inputs[0].name
    session = open_session(model, [name for name in names if name != feed])
    rng = np.random.default_rng(0)
    samples: dict[str, list[Floats]] = {name: [] for name in names}
    peaks: dict[str, Floats] = {}
    sums: dict[str, Floats] = {}
    sizes: dict[str, tuple[int, int]] = {}
    share = max(1, MAX_SAMPLES // len(inputs))
    for value in inputs:
        found = {feed: value, **session.run({feed: value})}
        for name in names:
            flat = found[name].reshape(found[name].shape[1], -1)
            count = max(1, min(flat.shape[1], share // len(flat)))
            samples[name].append(flat[:, rng.choice(flat.shape[1], count, replace=False)])
            peak = np.abs(flat).max(axis=1)
            peaks[name] = np.maximum(peaks[name], peak) if name in peaks else peak
            sums[name] = sums.get(name, np.float32(0)) + flat.mean(axis=1)
            sizes[name] = (found[name].shape[2], found[name].shape[3])
    return {
        name: Spread(
            np.concatenate(samples[name], axis=1),
            peaks[name],
            (sums[name] / len(inputs)).astype(np.float32),
            sizes[name],
        )
        for name in names
    }


def multiplications(node: Any, spread: Spread) -> int:
    """How many a convolution carries out for one input.

    Args:
        node: the convolution, with constant weights.
        spread: of its input.
    """
    weights = node.inputs[1].shape.numpy()
    attributes = {name: found.value for name, found in node.attributes.items()}
    strides, dilations = (attributes.get(name, [1, 1]) for name in ("strides", "dilations"))
    pads = attributes.get("pads", [0, 0, 0, 0])
    same = str(attributes.get("auto_pad", "NOTSET")).startswith("SAME")
    places = 1
    for axis in (0, 1):
        reach = 0 if same else dilations[axis] * (weights[2 + axis] - 1)
        padding = 0 if same else pads[axis] + pads[2 + axis]
        places *= (spread.size[axis] + padding - reach - 1) // strides[axis] + 1
    return int(np.prod(weights)) * places


def convolutions(model: Any) -> list[ir.Node]:
    """The convolutions of a graph, in its order."""
    return [node for node in model.graph if node.op_type == "Conv"]


def weights_of(node: ir.Node, index: int = 1) -> Floats:
    """The constant at an input of a convolution, its weights unless said otherwise."""
    array = array_of(node.inputs[index])
    assert array is not None, f"{node.name}: input {index} is no constant"
    return array
