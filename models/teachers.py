"""Networks that were trained before, asked about every batch that another one learns from."""

from __future__ import annotations

from collections.abc import Sequence
from threading import Lock
from typing import Any

import keras
import numpy as np
import numpy.typing as npt

from .networks.copying import copy_network


class Teachers:
    """The mean answer of several networks to a batch of faces.

    They see the very faces that the one they teach sees, moved, mixed and erased as they
    are: networks know their training faces by heart, and these they do not ("Knowledge
    distillation: a good teacher is patient and consistent", Beyer et al., arXiv 2106.05237).

    Args:
        networks: Keras classifiers of one input shape and the same classes.
        precision: a Keras dtype policy that they answer in.
    """

    def __init__(self, networks: Sequence[Any], precision: str) -> None:
        image = keras.layers.Input(networks[0].input_shape[1:])
        keras.config.set_dtype_policy(precision)
        try:
            answers = [_named(copy_network(one), f"teacher{i}") for i, one in enumerate(networks)]
        finally:
            keras.config.set_dtype_policy("float32")
        mean = sum(answer(image) for answer in answers) / len(answers)
        self._network = keras.Model(image, mean)
        # Keras keeps what it is about to answer in the model.
        self._one_at_a_time = Lock()

    def __call__(self, images: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
        """Probabilities `(n, classes)` of faces `(n, h, w, 1)`, 0-255; from any thread."""
        with self._one_at_a_time:
            answers = self._network.predict_on_batch(images)
        return np.asarray(keras.ops.convert_to_numpy(answers), np.float32)


def _named(network: Any, name: str) -> Any:
    return keras.Model(network.inputs, network.outputs[0], name=name)
