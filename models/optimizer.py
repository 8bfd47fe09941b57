"""Stochastic gradient descent that keeps a moving average of the weights beside them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import keras
import numpy as np

from .config import TrainingConfig
from .schedule import LearningRate


class AveragingSGD(keras.optimizers.SGD):  # type: ignore[misc]
    """Keras' SGD, whose average is taken only when it is asked for.

    Keras puts the average in place of the weights whenever `fit` ends, which is after every
    epoch here, and training would go on from the average.
    Keras also asks the schedule of rates anew for every variable that decays, which fills the
    graph of a step with copies of it and takes seconds of each start.
    """

    _rate_of_step: Any = None

    def apply(self, grads: Any, trainable_variables: Any = None) -> None:
        """Take a step, all of it at one rate."""
        self._rate_of_step = super()._get_current_learning_rate()
        try:
            super().apply(grads, trainable_variables)
        finally:
            self._rate_of_step = None

    def _get_current_learning_rate(self) -> Any:
        if self._rate_of_step is not None:
            return self._rate_of_step
        return super()._get_current_learning_rate()

    def finalize_variable_values(self, var_list: Sequence[Any]) -> None:
        """Leave the weights as they are."""

    def take_average(self, variables: Sequence[Any]) -> None:
        """Give trainable variables their moving average; without one, leave them."""
        super().finalize_variable_values(variables)
        for variable in variables:
            # On JAX both would share a buffer, which the next step gives away.
            variable.assign(np.array(keras.ops.convert_to_numpy(variable)))


def build_optimizer(config: TrainingConfig, steps_per_epoch: int) -> AveragingSGD:
    """The optimizer of a configuration."""
    return AveragingSGD(
        LearningRate(config, steps_per_epoch),
        momentum=0.9,
        nesterov=True,
        weight_decay=config.weight_decay,
        use_ema=bool(config.average_decay),
        ema_momentum=config.average_decay or 0.99,
    )
