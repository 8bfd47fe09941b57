"""Networks that were trained before, asked about every batch that another one learns from."""

from __future__ import annotations

from collections.abc import Sequence
from threading import Lock
from typing import Any

import keras
import numpy as np
import numpy.typing as npt

from .keras_files import without_label_head
from .networks.copying import copy_network


class Teachers:
    """What several networks say of a batch of faces.

    They see the very faces that the one they teach sees, moved, mixed and erased as they
    are: networks know their training faces by heart, and these they do not ("Knowledge
    distillation: a good teacher is patient and consistent", Beyer et al., arXiv 2106.05237).

    Args:
        networks: Keras classifiers of one input shape and the same classes.
        precision: a Keras dtype policy that they answer in.
        take_turns: each answers for its part of a batch, the first for the first faces; otherwise
            all answer for all of it, and their mean counts.
    """

    def __init__(self, networks: Sequence[Any], precision: str, take_turns: bool = False) -> None:
        keras.config.set_dtype_policy(precision)
        try:
            answering = [
                _named(copy_network(without_label_head(one)), f"teacher{i}")
                for i, one in enumerate(networks)
            ]
        finally:
            keras.config.set_dtype_policy("float32")
        self._networks = answering if take_turns else [_mean(answering)]
        # Keras keeps what it is about to answer in the model.
        self._one_at_a_time = Lock()

    def __call__(self, images: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
        """Probabilities `(n, classes)` of faces `(n, h, w, 1)`, 0-255; from any thread.

        Teachers that take turns need a face each.
        """
        parts = np.array_split(images, len(self._networks))
        with self._one_at_a_time:
            answers = [
                keras.ops.convert_to_numpy(network.predict_on_batch(part))
                for network, part in zip(self._networks, parts, strict=True)
            ]
        return np.concatenate(answers).astype(np.float32)


def _mean(networks: Sequence[Any]) -> Any:
    image = keras.layers.Input(networks[0].input_shape[1:])
    return keras.Model(image, sum(network(image) for network in networks) / len(networks))


def _named(network: Any, name: str) -> Any:
    return keras.Model(network.inputs, network.outputs[0], name=name)
