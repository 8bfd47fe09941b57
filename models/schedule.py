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
    for end, cooldown in config.restarts:
        if cooldown:
            rate = ops.where(epoch < end, rate * _cooling(epoch, end, cooldown, ops), rate)
    if config.cooldown_epochs:
        rate = rate * _cooling(epoch, config.epochs, config.cooldown_epochs, ops)
    return rate


def _cooling(epoch: Any, end: float, length: float, ops: Any) -> Any:
    """From 1 to 0 over the last `length` epochs before `end`."""
    return ops.clip((end - epoch) / length, 0.0, 1.0)


def same_until(one: TrainingConfig, other: TrainingConfig, epoch: int) -> bool:
    """Whether two runs have the same learning rate over their first `epoch` epochs."""
    # Two points an epoch: between whole epochs a rate is a line or a cosine.
    points = np.arange(0.25, epoch, 0.5)
    return bool(np.allclose(rate_at(one, points), rate_at(other, points), rtol=1e-6, atol=0))


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
