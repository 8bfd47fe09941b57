"""Latency of converted models against the first one, at batch 1, in one run.

    python benchmarks/model_latency.py published.onnx models/expression.onnx

Models take turns, block by block of calls, so that a noisy machine treats them alike. Taking
turns call by call they disturb each other: of the same file opened twice, the second was 3 to
10 % slower on two cores, and 1 % at most in blocks. In the clock: one `infer` of a backend,
from a float32 array to probabilities.
"""

from __future__ import annotations

import argparse
import math
import time
from contextlib import ExitStack
from pathlib import Path

import numpy as np
import numpy.typing as npt

from fer_edge.engine.backends import Backend, open_backend
from fer_edge.engine.types import Floats

Times = npt.NDArray[np.float64]
# Calls of a model in its turn, and how many of them only bring it back into the cache.
BLOCK, UNTIMED = 30, 5


def main() -> None:
    """Measure and print one line a model."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("models", type=Path, nargs="+", metavar="ONNX")
    parser.add_argument("--backend", default="auto")
    parser.add_argument("--calls", type=int, default=2000, help="of each model (2000)")
    args = parser.parse_args()
    rng = np.random.default_rng(0)
    with ExitStack() as stack:
        opened = [stack.enter_context(open_backend(path, args.backend)) for path in args.models]
        inputs = []
        for backend in opened:
            facts = backend.facts.input
            shape = (1, facts.channels, facts.height, facts.width)
            inputs.append({facts.name: rng.normal(size=shape).astype(np.float32)})
        # The first turn warms up.
        count = 1 + math.ceil(args.calls / BLOCK)
        turns = np.stack([_block(opened, inputs) for _ in range(count)])[1:] * 1e3
        times = turns.reshape(-1, len(opened))
        medians = np.median(times, axis=0)
        # Bootstrap over turns, for calls of a block are alike.
        picks = rng.integers(0, len(turns), (400, len(turns)))
        drawn = np.median(turns[picks].reshape(400, -1, len(opened)), axis=1)
        ratios = drawn / drawn[:, :1]
        low, high = np.percentile(ratios, [2.5, 97.5], axis=0)
        for index, (path, backend) in enumerate(zip(args.models, opened, strict=True)):
            print(
                f"{path.name:28} {type(backend).__name__} {backend.precision:5} "
                f"median {medians[index]:.3f} ms  p99 {np.percentile(times[:, index], 99):.3f} ms"
                f"  ratio {medians[index] / medians[0]:.3f} ({low[index]:.3f} to {high[index]:.3f})"
            )


def _block(opened: list[Backend], inputs: list[dict[str, Floats]]) -> Times:
    """One turn: seconds of each model's calls but the first few, `(calls, models)`."""
    times = np.empty((BLOCK, len(opened)))
    for index, backend in enumerate(opened):
        for call in range(BLOCK):
            started = time.perf_counter()
            backend.infer(inputs[index])
            times[call, index] = time.perf_counter() - started
    return times[UNTIMED:]


if __name__ == "__main__":
    main()
