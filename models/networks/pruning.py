"""A narrower MobileNet out of a trained one, without the channels for which others can stand in.

Of the inputs of a convolution, that one goes first whose loss changes the outputs least once
the weights of the others have made up for it (Hassibi and Stork, "Second order derivatives for
network pruning: Optimal Brain Surgeon", 1993, here by channel in place of weight; He et al.,
arXiv 1707.06168, choose them otherwise and make up for them alike).
"""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import keras
import numpy as np
import numpy.typing as npt

from .initial import assign_weights, named_variables
from .mobilenet import BLOCKS

Doubles = npt.NDArray[np.float64]
Moments = tuple[Doubles, Doubles]

# Faces by which channels are judged, and how many of them at a time.
FACES, BATCH = 1024, 64
# Share of the mean variance added to each, since some channels are always zero, and what is
# added in case all are.
DAMPING, TINY = 1e-3, 1e-12
_FULL = ["stem", *(f"block{number}_pointwise" for number in range(1, BLOCKS + 1)), "logits"]


def is_narrower(network: Any, wider: Any) -> bool:
    """Whether a MobileNet has the layers of another one with fewer filters in some."""
    shapes, before = (
        {name: tuple(variable.shape) for name, variable in named_variables(net).items()}
        for net in (network, wider)
    )
    return (
        shapes.keys() == before.keys()
        and {f"{name}/kernel" for name in _FULL} <= shapes.keys()
        and shapes != before
        and all(np.less_equal(shapes[name], before[name]).all() for name in shapes)
    )


def take_pruned(network: Any, wider: Any, images: npt.NDArray[np.uint8]) -> None:
    """Give a MobileNet the most useful channels of a wider one.

    Args:
        network: a MobileNet, see `is_narrower`.
        wider: trained; left as it is.
        images: gray faces `(n, h, w)`, of which 1,024 show how channels go together.
    """
    arrays = {
        name: np.asarray(keras.ops.convert_to_numpy(variable), np.float64)
        for name, variable in named_variables(wider).items()
    }
    moments = _moments(wider, images[:: max(1, len(images) // FACES)][:FACES])
    for number, (before, after) in enumerate(pairwise(_FULL), start=1):
        count = network.get_layer(before).filters
        mean, covariance = moments[number - 1]
        weights = arrays[f"{after}/kernel"].reshape(len(mean), -1)
        kept = most_useful(covariance, weights * _unit(wider, after), count)
        _make_up(arrays, after, kept, mean, covariance)
        _narrow(arrays, (before, f"block{number}_depthwise"), kept)
    assign_weights(network, arrays, "the wider network")


def most_useful(covariance: Doubles, weights: Doubles, count: int) -> npt.NDArray[np.intp]:
    """Which inputs of a linear layer to keep, chosen greedily.

    Args:
        covariance: of the inputs, `(n, n)`, positive definite.
        weights: `(n, outputs)`, each output in its own unit.
        count: inputs to keep, 1 to n.

    Returns:
        Indices `(count,)`, ascending.
    """
    inverse, weights = np.linalg.inv(covariance), weights.copy()
    left = np.ones(len(weights), bool)
    for _ in range(len(weights) - count):
        losses = np.where(left, (weights**2).sum(axis=1) / np.diag(inverse), np.inf)
        gone = int(losses.argmin())
        share = inverse[:, gone] / inverse[gone, gone]
        weights -= np.outer(share, weights[gone])
        inverse -= np.outer(share, inverse[gone])
        left[gone] = False
        # Nothing of it is left but rounding; the diagonal is divided by.
        weights[gone] = inverse[gone] = inverse[:, gone] = 0
        inverse[gone, gone] = 1
    return np.flatnonzero(left)


def _make_up(
    arrays: dict[str, Doubles],
    layer: str,
    kept: npt.NDArray[np.intp],
    mean: Doubles,
    covariance: Doubles,
) -> None:
    """Let a layer do with some of its inputs: least squares, and the mean of what is lost."""
    kernel = arrays[f"{layer}/kernel"]
    weights = kernel.reshape(len(mean), -1)
    system = covariance[np.ix_(kept, kept)], covariance[kept] @ weights
    refitted = np.asarray(np.linalg.solve(*system), np.float64)
    lost = mean @ weights - mean[kept] @ refitted
    arrays[f"{layer}/kernel"] = refitted.reshape(*kernel.shape[:-2], *refitted.shape)
    if f"{layer}/bias" in arrays:
        arrays[f"{layer}/bias"] += lost
    else:
        arrays[f"{layer}_norm/moving_mean"] -= lost


def _narrow(
    arrays: dict[str, Doubles], layers: tuple[str, str], kept: npt.NDArray[np.intp]
) -> None:
    """Leave some outputs of a convolution, and of the depthwise one behind it."""
    convolution, depthwise = layers
    for name in arrays:
        layer = name.split("/")[0]
        if layer in (convolution, f"{convolution}_norm", f"{depthwise}_norm"):
            arrays[name] = arrays[name][..., kept]
        elif layer == depthwise:
            arrays[name] = arrays[name][:, :, kept]


def _unit(network: Any, layer: str) -> Doubles | float:
    """What normalisation makes of each output of a layer."""
    if layer == _FULL[-1]:
        return 1.0
    norm = network.get_layer(f"{layer}_norm")
    gamma, variance = (
        np.asarray(keras.ops.convert_to_numpy(variable), np.float64)
        for variable in (norm.gamma, norm.moving_variance)
    )
    return gamma / np.sqrt(variance + norm.epsilon)


def _moments(network: Any, images: npt.NDArray[np.uint8]) -> list[Moments]:
    """Mean `(c,)` and damped covariance `(c, c)` of what pointwise convolutions and head get."""
    names = [f"block{number}_depthwise_relu" for number in range(1, BLOCKS + 1)]
    outputs = [network.get_layer(name).output for name in (*names, "pool")]
    probe = keras.Model(network.input, outputs)
    counts = [0] * len(outputs)
    sums = [np.zeros(output.shape[-1]) for output in outputs]
    products = [np.zeros((len(total), len(total))) for total in sums]
    for at in range(0, len(images), BATCH):
        maps = probe.predict_on_batch(images[at : at + BATCH, ..., None].astype(np.float32))
        for index, seen in enumerate(maps):
            rows = np.asarray(keras.ops.convert_to_numpy(seen)).reshape(-1, seen.shape[-1])
            counts[index] += len(rows)
            sums[index] += rows.sum(axis=0, dtype=np.float64)
            products[index] += rows.T @ rows
    means = [total / count for total, count in zip(sums, counts, strict=True)]
    return [
        (mean, _damped(product / count - np.outer(mean, mean)))
        for mean, product, count in zip(means, products, counts, strict=True)
    ]


def _damped(covariance: Doubles) -> Doubles:
    damping = DAMPING * np.diag(covariance).mean() + TINY
    return covariance + damping * np.eye(len(covariance))
