"""Runs on faces that a tiny network can learn."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from fer_edge.models.keras_backend import import_keras

import_keras()

from fer_edge.models import fit  # noqa: E402
from fer_edge.models.runs import train  # noqa: E402

from .tiny_faces import SEVEN, TINY, shades  # noqa: E402

TRAINING, HELD_OUT = shades(96), shades(28, seed=5)


def run(folder: Path, config: Any = TINY, training: Any = TRAINING) -> Any:
    return train(config, training, HELD_OUT, SEVEN, folder, quiet=True)


def run_in_parts(
    folder: Path, config: Any, monkeypatch: pytest.MonkeyPatch, interruptions: int = 2
) -> Any:
    """A run that is interrupted after each of the first epochs that it does."""
    save = fit.save_checkpoint

    def killed(*arguments: Any) -> None:
        save(*arguments)
        raise KeyboardInterrupt

    for _ in range(interruptions):
        with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
            patch.setattr(fit, "save_checkpoint", killed)
            run(folder, config)
    return run(folder, config)


def assert_same(one: Any, other: Any) -> None:
    for a, b in zip(one.get_weights(), other.get_weights(), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-5)
