"""The smallest Keras classifiers that have what a test is about."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

SIDE = 12


def tiny(keras: Any, first: Sequence[Any] = (), channels: int = 1, flatten: bool = False) -> Any:
    """A classifier of seven expressions, `first` on its input; for Keras 2 and 3 alike.

    Its answers differ from face to face, as those of a trained one do.
    """
    layers = keras.layers
    x = image = layers.Input((SIDE, SIDE, channels))
    for layer in first:
        x = layer(x)
    x = layers.Conv2D(6, 3, padding="same", activation="relu")(x)
    x = layers.MaxPooling2D()(x)
    x = layers.Flatten()(x) if flatten else layers.GlobalAveragePooling2D()(x)
    model = keras.Model(image, layers.Dense(7, activation="softmax")(x))
    rng = np.random.default_rng(0)
    for layer in model.layers:
        if type(layer).__name__ in ("Conv2D", "Dense"):
            layer.set_weights([rng.normal(0, 1, w.shape) for w in layer.get_weights()])
    return model


def save_tiny(keras: Any, path: Path, **options: Any) -> Path:
    """Save such a classifier; returns the path."""
    tiny(keras, **options).save(path)
    return path
