"""Batch normalisation's statistics, taken anew for weights that have seen no batch of their own."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
import numpy.typing as npt

from .batches import as_input

BATCH_SIZE = 256


class Normalisations:
    """All batch normalisations of a network (Izmailov et al., arXiv 1803.05407, section 3.2).

    Args:
        network: a Keras model, built.
    """

    def __init__(self, network: Any) -> None:
        self._norms = [
            layer for layer in network.layers if isinstance(layer, keras.layers.BatchNormalization)
        ]
        self._learning = _Learning(network)

    def refresh(self, images: npt.NDArray[np.uint8]) -> None:
        """Give each the mean of its statistics over batches of gray faces `(n, h, w)`."""
        if not self._norms:
            return
        momenta = [norm.momentum for norm in self._norms]
        for norm in self._norms:
            # Makes the moving average that of the last batch.
            norm.momentum = 0.0
        try:
            seen = [
                self._of_batch(images[at : at + BATCH_SIZE])
                for at in range(0, len(images), BATCH_SIZE)
            ]
        finally:
            for norm, momentum in zip(self._norms, momenta, strict=True):
                norm.momentum = momentum
        for variable, *values in zip(self._variables(), *seen, strict=True):
            variable.assign(np.mean(values, axis=0))

    def _of_batch(self, images: npt.NDArray[np.uint8]) -> list[npt.NDArray[np.float32]]:
        self._learning.predict_on_batch(as_input(images))
        return [np.array(keras.ops.convert_to_numpy(v)) for v in self._variables()]

    def _variables(self) -> list[Any]:
        return [v for norm in self._norms for v in (norm.moving_mean, norm.moving_variance)]


class _Learning(keras.Model):  # type: ignore[misc]
    """A network that runs as it does while it learns, whatever it is asked to do."""

    def __init__(self, network: Any) -> None:
        super().__init__(name="learning")
        self.network = network

    def call(self, images: Any) -> Any:
        return self.network(images, training=True)
