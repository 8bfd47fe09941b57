"""TensorFlow, imported late and quietly."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from fer_edge.engine.errors import BackendUnavailable

INSTALL = "pip install 'fer-edge[convert]'"


def import_tensorflow() -> Any:
    """Return the `tensorflow` module, on the CPU and without its start-up messages.

    Raises:
        BackendUnavailable: it is not installed.
    """
    if "tensorflow" in sys.modules:
        return sys.modules["tensorflow"]
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    # Conversion wants the plain kernels: oneDNN's reorder sums and differ in the sixth digit.
    os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "0")
    os.environ.setdefault("CUDA_VISIBLE_DEVICES", "-1")
    os.environ.setdefault("KERAS_BACKEND", "tensorflow")
    with silent_stderr():
        try:
            import tensorflow as tf
        except ImportError as error:
            raise BackendUnavailable(f"TensorFlow is not installed: {INSTALL}") from error
        # The first operation looks for GPUs, and says so.
        tf.constant(0)
    tf.get_logger().setLevel("ERROR")
    return tf


@contextmanager
def silent_stderr() -> Iterator[None]:
    """Close the door on C++ libraries that write to standard error before logging is set up."""
    sys.stderr.flush()
    saved = os.dup(2)
    nowhere = os.open(os.devnull, os.O_WRONLY)
    try:
        os.dup2(nowhere, 2)
        yield
    finally:
        os.dup2(saved, 2)
        os.close(saved)
        os.close(nowhere)
