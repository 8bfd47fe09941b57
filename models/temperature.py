"""Probabilities that mean what they say.

A temperature divides what goes into the softmax (Guo et al., "On calibration of modern neural
networks", arXiv 1706.04599). Answers stay the same; how sure they are does not.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

LEAST, MOST = 0.1, 10.0


def fit_temperature(rows: npt.NDArray[np.float32], labels: npt.NDArray[np.int64]) -> float:
    """The temperature under which the cross-entropy is least, within 0.1-10.

    Args:
        rows: probabilities `(n, classes)` of held-out faces; the network must not have seen them.
        labels: their classes `(n,)`.
    """
    from scipy.optimize import minimize_scalar

    logits = np.log(np.maximum(rows.astype(np.float64), 1e-12))

    def loss(log_temperature: float) -> float:
        cooled = logits / np.exp(log_temperature)
        cooled -= cooled.max(axis=1, keepdims=True)
        of_truth = cooled[np.arange(len(labels)), labels]
        return float((np.log(np.exp(cooled).sum(axis=1)) - of_truth).mean())

    found = minimize_scalar(loss, bounds=(np.log(LEAST), np.log(MOST)), method="bounded")
    return float(np.exp(found.x))


def fold_temperature(layer: Any, temperature: float) -> None:
    """Let a Keras layer that is linear give its outputs divided by a temperature."""
    layer.set_weights([weights / temperature for weights in layer.get_weights()])
