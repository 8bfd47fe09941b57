"""Images a second of the training step, of the loader, and of both together.

    python benchmarks/training_throughput.py fer2013.csv

The loader keeps up when "both" is as fast as "step alone". The first steps, in which
Keras compiles, are outside the clock; the kinds take turns, so that a noisy machine
treats them alike.
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from fer_edge.models.config import read_config
from fer_edge.models.data import load_dataset
from fer_edge.models.keras_backend import KERAS_BACKENDS, import_keras

DEFAULT = Path(__file__).parents[1] / "models" / "fit.json"


def main() -> None:
    """Measure and print one line a kind."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("data", type=Path, help="as for fer-train fit")
    parser.add_argument("--config", type=Path, default=DEFAULT)
    parser.add_argument("--steps", type=int, default=40, help="a turn (40)")
    parser.add_argument("--turns", type=int, default=5, help="of each kind (5)")
    parser.add_argument("--keras-backend", choices=KERAS_BACKENDS)
    args = parser.parse_args()
    keras = import_keras(args.keras_backend)
    config = read_config(args.config)
    faces = next(iter(load_dataset(args.data).splits.values()))
    kinds = _kinds(keras, config, faces, args.steps)
    rates: dict[str, list[float]] = {name: [] for name in kinds}
    for turn in range(args.turns + 1):
        for name, run in kinds.items():
            started = time.perf_counter()
            run(turn)
            if turn:
                elapsed = time.perf_counter() - started
                rates[name].append(args.steps * config.batch_size / elapsed)
    whole = statistics.median(rates["step alone"])
    for name, values in rates.items():
        middle = statistics.median(values)
        print(
            f"{name:12} {middle:9,.0f} images/s  ({min(values):,.0f} to {max(values):,.0f})  "
            f"{middle / whole:.2f} of the step"
        )


def _kinds(keras, config, faces, steps) -> dict[str, Callable[[int], None]]:  # type: ignore[no-untyped-def]
    from fer_edge.models.batches import Batches
    from fer_edge.models.networks import build_network
    from fer_edge.models.optimizer import build_optimizer

    keras.config.set_dtype_policy(config.precision)
    network = build_network(config.architecture, 7, config.network)
    network.compile(
        optimizer=build_optimizer(replace(config, epochs=1000), steps),
        loss=keras.losses.CategoricalCrossentropy(),
        jit_compile=keras.backend.backend() == "jax",
    )

    class Shortened(Batches):
        def __len__(self) -> int:
            return steps

    ready = Shortened(faces, 7, config, 0)
    made = [ready[index] for index in range(steps)]
    ready.close()

    class Ready(keras.utils.PyDataset):  # type: ignore[misc]
        def __len__(self) -> int:
            return steps

        def __getitem__(self, index: int) -> object:
            return made[index]

    def load(turn: int) -> None:
        batches = Shortened(faces, 7, config, turn)
        for index in range(steps):
            batches[index]
        batches.close()

    def both(turn: int) -> None:
        batches = Shortened(faces, 7, config, turn)
        network.fit(batches, verbose=0, shuffle=False)
        batches.close()

    return {
        "loader alone": load,
        "step alone": lambda _: network.fit(Ready(), verbose=0, shuffle=False),
        "both": both,
    }


if __name__ == "__main__":
    main()
