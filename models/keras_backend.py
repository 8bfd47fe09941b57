"""Keras, imported late and quietly, on the back end that was asked for."""

from __future__ import annotations

import os
import sys
from typing import Any

from fer_edge.convert.tensorflow import silent_stderr
from fer_edge.engine.errors import BackendUnavailable, BadInput

KERAS_BACKENDS = ("tensorflow", "jax", "torch")


def import_keras(backend: str | None = None) -> Any:
    """Return the `keras` module.

    Args:
        backend: tensorflow, jax or torch; None for what KERAS_BACKEND or Keras' own
            configuration says.

    Raises:
        BackendUnavailable: Keras or that back end is not installed.
        BadInput: no such back end, or Keras already runs on another.
    """
    if backend is not None:
        if backend not in KERAS_BACKENDS:
            raise BadInput(f"no back end {backend!r}; there are {', '.join(KERAS_BACKENDS)}")
        os.environ["KERAS_BACKEND"] = backend
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    try:
        # TensorFlow greets on standard error before its logging can be set up.
        with silent_stderr():
            import keras
    except ImportError as error:
        wanted = os.environ.get("KERAS_BACKEND", "tensorflow")
        missing = error.name or wanted
        raise BackendUnavailable(
            f"{missing} is not installed: pip install 'fer-edge[train]', or choose another of "
            f"{', '.join(KERAS_BACKENDS)} with --keras-backend"
        ) from error
    if "tensorflow" in sys.modules and keras.backend.backend() == "tensorflow":
        sys.modules["tensorflow"].get_logger().setLevel("ERROR")
    if backend is not None and keras.backend.backend() != backend:
        raise BadInput(f"Keras already runs on {keras.backend.backend()}; start anew for {backend}")
    if keras.backend.backend() == "torch":
        from .torch_layers import use_fast_layers

        use_fast_layers()
    return keras
