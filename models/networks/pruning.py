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
# Keras' own, in its batch normalisation.
EPSILON = 1e-3
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
        _narrow(arrays, before, f"block{number}_depthwise", after, count, moments[number - 1])
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


def _narrow(
    arrays: dict[str, Doubles],
    before: str,
    depthwise: str,
    after: str,
    count: int,
    moments: Moments,
) -> None:
    """Leave `count` channels between two convolutions, and let `after` make up for the rest."""
    mean, covariance = moments
    kernel = arrays[f"{after}/kernel"]
    weights = kernel.reshape(kernel.shape[-2:])
    damping = DAMPING * np.diag(covariance).mean() + TINY
    covariance = covariance + damping * np.eye(len(covariance))
    kept = most_useful(covariance, weights * _unit(arrays, after), count)
    refitted = np.linalg.solve(covariance[np.ix_(kept, kept)], covariance[kept] @ weights)
    moved = mean @ weights - mean[kept] @ refitted
    arrays[f"{after}/kernel"] = refitted.reshape(*kernel.shape[:-2], *refitted.shape)
    if f"{after}/bias" in arrays:
        arrays[f"{after}/bias"] += moved
    else:
        arrays[f"{after}_norm/moving_mean"] -= moved
    for name in arrays:
        layer = name.split("/")[0]
        if layer in (before, f"{before}_norm", f"{depthwise}_norm"):
            arrays[name] = arrays[name][..., kept]
        elif layer == depthwise:
            arrays[name] = arrays[name][:, :, kept]


def _unit(arrays: dict[str, Doubles], layer: str) -> Doubles | float:
    """What normalisation makes of each output of a layer."""
    if f"{layer}_norm/gamma" not in arrays:
        return 1.0
    variance = arrays[f"{layer}_norm/moving_variance"]
    return arrays[f"{layer}_norm/gamma"] / np.sqrt(variance + EPSILON)


def _moments(network: Any, images: npt.NDArray[np.uint8]) -> list[Moments]:
    """Mean `(c,)` and covariance `(c, c)` of what each pointwise convolution and the head get."""
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
        (mean, product / count - np.outer(mean, mean))
        for mean, product, count in zip(means, products, counts, strict=True)
    ]
