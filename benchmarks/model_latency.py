"""Latency of converted models against the first one, at batch 1, in one run.

    python benchmarks/model_latency.py published.onnx models/expression.onnx

Models take turns, call by call, so that a noisy machine treats them alike. In the clock:
one `infer` of a backend, from a float32 array to probabilities.
"""

from __future__ import annotations

import argparse
import time
from contextlib import ExitStack
from pathlib import Path

import numpy as np

from fer_edge.engine.backends import open_backend


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
        times = np.empty((args.calls + 50, len(opened)))
        for row in times:
            for index, backend in enumerate(opened):
                started = time.perf_counter()
                backend.infer(inputs[index])
                row[index] = time.perf_counter() - started
        times = times[50:] * 1e3
        medians = np.median(times, axis=0)
        # Bootstrap over calls: the pairs of a turn stay together.
        picks = rng.integers(0, len(times), (400, len(times)))
        drawn = np.median(times[picks], axis=1)
        ratios = drawn / drawn[:, :1]
        low, high = np.percentile(ratios, [2.5, 97.5], axis=0)
        for index, (path, backend) in enumerate(zip(args.models, opened, strict=True)):
            print(
                f"{path.name:28} {type(backend).__name__} {backend.precision:5} "
                f"median {medians[index]:.3f} ms  p99 {np.percentile(times[:, index], 99):.3f} ms"
                f"  ratio {medians[index] / medians[0]:.3f} ({low[index]:.3f} to {high[index]:.3f})"
            )


if __name__ == "__main__":
    main()
