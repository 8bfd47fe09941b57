"""Learning rate over a run."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np

from .config import TrainingConfig


def rate_at(config: TrainingConfig, epoch: Any, ops: Any = np) -> Any:
    """Learning rate at a point of the run, in epochs; `ops` is `keras.ops` or NumPy."""
    rate = config.peak_learning_rate
    if config.warmup_epochs:
        rate = rate * ops.minimum(epoch / config.warmup_epochs, 1.0)
    if config.decay == "cosine":
        cooling_from = config.epochs - config.cooldown_epochs
        length = max(config.epochs - config.warmup_epochs, 1e-6)
        share = (ops.minimum(epoch, cooling_from) - config.warmup_epochs) / length
        rate = rate * 0.5 * (1 + ops.cos(np.pi * ops.clip(share, 0.0, 1.0)))
    if config.cooldown_epochs:
        rate = rate * ops.clip((config.epochs - epoch) / config.cooldown_epochs, 0.0, 1.0)
    return rate


class LearningRate(keras.optimizers.schedules.LearningRateSchedule):  # type: ignore[misc]
    """`rate_at` for an optimizer that counts steps."""

    def __init__(self, config: TrainingConfig, steps_per_epoch: int) -> None:
        self._config, self._steps = config, steps_per_epoch

    def __call__(self, step: Any) -> Any:
        """The rate at a step."""
        return rate_at(self._config, keras.ops.cast(step, "float32") / self._steps, keras.ops)

    def get_config(self) -> dict[str, Any]:
        """Nothing: a run is rebuilt from its configuration, never from an optimizer's."""
        return {}
