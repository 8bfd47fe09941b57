"""How long fer-convert takes, a process of its own each time."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory
from time import perf_counter

from fer_edge.engine.errors import BadInput

from .intervals import mean_interval
from .records import Conversion


def measure_conversion(
    model: Path, repetitions: int, progress: Callable[[str], None] = lambda _: None
) -> Conversion:
    """Convert an original to ONNX, parity check included.

    Raises:
        BadInput: fer-convert refuses the file.
    """
    seconds = []
    for repetition in range(repetitions):
        progress(f"convert {model.name}, {repetition + 1} of {repetitions}")
        with TemporaryDirectory(prefix="fer-bench-") as folder:
            output = Path(folder, "model.onnx")
            command = [
                *(sys.executable, "-m", "fer_edge.convert.cli", str(model)),
                *("-o", str(output), "--precision", "fp16", "--quiet", *_named(model)),
            ]
            started = perf_counter()
            done = subprocess.run(command, capture_output=True, text=True, check=False)
            seconds.append(perf_counter() - started)
        if done.returncode:
            reason = (done.stderr.strip().splitlines() or ["no message"])[-1]
            raise BadInput(f"{model}: {reason.removeprefix('fer-convert: error: ')}")
    return Conversion(model.name, seconds, mean_interval(seconds))


def _named(model: Path) -> list[str]:
    """An order for the classes of a Keras file that does not name them: time depends on none."""
    from fer_edge.convert.inspect import identify
    from fer_edge.convert.keras_model import read_keras_file

    if identify(model) != "keras" or read_keras_file(model).labels is not None:
        return []
    return ["--order", "fer2013"]
