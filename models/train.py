"""Train the expression network on FER2013: `python -m fer_edge.models.train CONFIG DATA OUT`.

A run is a pure function of its configuration: order, augmentation and dropout of epoch e
depend on (seed, e) alone. State is saved after every epoch, so a run that
was killed goes on from its last whole epoch when the same command is given again.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import time
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Any

import keras
import numpy as np
import numpy.typing as npt

from fer_edge.engine.errors import BadInput, FerError, InputNotFound

from .augment import Augmentation, augment
from .dataset import Split, load_fer2013, seen_in
from .network import plain_network

LOG_HEADER = "epoch,loss,public_test_accuracy,seconds"


@dataclass(frozen=True)
class TrainingConfig:
    """Everything that decides what a run makes.

    Attributes:
        seed: of weights, order and augmentation.
        epochs: passes over Training.
        batch_size: images a step.
        peak_learning_rate: of SGD with Nesterov momentum 0.9, reached after
            `warmup_epochs`, then a half cosine down to zero.
        schedule_epochs: length of that cosine where it is longer than the run; 0 for
            `epochs`.
        cooldown_epochs: the last ones, over which the rate falls linearly to zero from
            where the cosine has it (Hägele et al., arXiv 2405.18392); 0 for none.
        weight_decay: decoupled, on every weight.
        label_smoothing: share of the target spread over all classes.
        precision: a Keras dtype policy, `float32` or `mixed_bfloat16`.
        widths, convolutions, dropout, spatial_dropout: see `plain_network`.
    """

    seed: int = 1
    epochs: int = 40
    batch_size: int = 128
    peak_learning_rate: float = 0.1
    warmup_epochs: int = 2
    schedule_epochs: int = 0
    cooldown_epochs: int = 0
    weight_decay: float = 5e-4
    label_smoothing: float = 0.1
    precision: str = "mixed_bfloat16"
    widths: tuple[int, ...] = (32, 64, 128, 256)
    convolutions: tuple[int, ...] = (1, 2, 2, 2)
    dropout: float = 0.3
    spatial_dropout: float = 0.0
    augmentation: Augmentation = field(default_factory=Augmentation)


def read_config(path: Path) -> TrainingConfig:
    """Read a JSON configuration; what it leaves out keeps its default."""
    if not path.is_file():
        raise InputNotFound(f"{path}: no such training configuration")
    try:
        raw = json.loads(path.read_text())
        if "augmentation" in raw:
            raw["augmentation"] = Augmentation(**raw["augmentation"])
        for name in {"widths", "convolutions"} & raw.keys():
            raw[name] = tuple(raw[name])
        return TrainingConfig(**raw)
    except (ValueError, TypeError) as error:
        names = ", ".join(f.name for f in fields(TrainingConfig))
        raise BadInput(f"{path}: {error}; known keys are {names}") from error


class Faces(keras.utils.PyDataset):  # type: ignore[misc]
    """Shuffled, augmented batches of one epoch: float32 `(n, 48, 48, 1)` and one-hot labels."""

    def __init__(self, split: Split, config: TrainingConfig, epoch: int, classes: int) -> None:
        super().__init__()
        self._split, self._config, self._epoch = split, config, epoch
        self._targets = np.eye(classes, dtype=np.float32)
        self._order = np.random.default_rng((config.seed, epoch)).permutation(len(split))

    def __len__(self) -> int:
        return len(self._split) // self._config.batch_size

    def __getitem__(self, index: int) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.float32]]:
        config = self._config
        chosen = self._order[index * config.batch_size :][: config.batch_size]
        rng = np.random.default_rng((config.seed, self._epoch, index))
        faces = [augment(self._split.images[i], config.augmentation, rng) for i in chosen]
        return np.stack(faces)[..., None], self._targets[self._split.labels[chosen]]


def learning_rate(config: TrainingConfig, steps_per_epoch: int) -> Any:
    """The Keras schedule of a configuration: warm-up, half cosine, cool-down."""

    class Schedule(keras.optimizers.schedules.LearningRateSchedule):  # type: ignore[misc]
        def __call__(self, step: Any) -> Any:
            return rate_at(config, keras.ops.cast(step, "float32") / steps_per_epoch, keras.ops)

        def get_config(self) -> dict[str, Any]:
            return {}

    return Schedule()


def rate_at(config: TrainingConfig, epoch: Any, ops: Any = np) -> Any:
    """Learning rate at a point of the run, in epochs; `ops` is `keras.ops` or NumPy."""
    warm = epoch / max(config.warmup_epochs, 1)
    length = (config.schedule_epochs or config.epochs) - config.warmup_epochs
    cooling_from = config.epochs - config.cooldown_epochs
    share = (ops.minimum(epoch, cooling_from) - config.warmup_epochs) / max(length, 1)
    cosine = 0.5 * (1 + ops.cos(np.pi * ops.clip(share, 0.0, 1.0)))
    left = (config.epochs - epoch) / max(config.cooldown_epochs, 1)
    cooling = ops.clip(left, 0.0, 1.0) if config.cooldown_epochs else 1.0
    return config.peak_learning_rate * ops.minimum(warm, cosine) * cooling


def build(config: TrainingConfig) -> Any:
    """The network of a configuration, under the dtype policy in force."""
    return plain_network(
        widths=config.widths,
        convolutions=config.convolutions,
        dropout=config.dropout,
        spatial_dropout=config.spatial_dropout,
    )


def predict(network: Any, images: npt.NDArray[np.uint8]) -> npt.NDArray[np.float32]:
    """Probabilities `(n, classes)` of gray faces uint8 `(n, 48, 48)`."""
    batches = [
        np.asarray(network.predict_on_batch(images[at : at + 256, ..., None].astype(np.float32)))
        for at in range(0, len(images), 256)
    ]
    return np.concatenate(batches)


def train(config: TrainingConfig, data: Path, out: Path) -> None:
    """Train or go on training; leaves `expression.keras`, `log.csv` and `result.json` in `out`."""
    training, public_test = load_fer2013(data)
    out.mkdir(parents=True, exist_ok=True)
    keras.utils.set_random_seed(config.seed)
    keras.mixed_precision.set_dtype_policy(config.precision)
    network = build(config)
    state, checkpoint = out / "state.json", out / "checkpoint.weights.h5"
    done = _resume(network, config, state, checkpoint)
    if done:
        print(f"going on after epoch {done} of {config.epochs}", flush=True)
    steps = len(Faces(training, config, 0, 7))
    _compile(network, config, learning_rate(config, steps))
    _restore_momentum(network, out / "momentum.npz", done)
    for epoch in range(done, config.epochs):
        started = time.perf_counter()
        _reseed_dropout(network, config.seed, epoch)
        history = network.fit(Faces(training, config, epoch, 7), verbose=0, shuffle=False).history
        accuracy = _accuracy(network, public_test)
        seconds = time.perf_counter() - started
        _log(out / "log.csv", epoch + 1, history["loss"][-1], accuracy, seconds)
        _save(network, config, state, checkpoint, out / "momentum.npz", epoch + 1)
        left = seconds * (config.epochs - epoch - 1) / 60
        print(
            f"epoch {epoch + 1}/{config.epochs}  loss {history['loss'][-1]:.4f}  "
            f"PublicTest {accuracy:.4f}  {seconds:.0f} s  {left:.0f} min left",
            flush=True,
        )
    _finish(network, config, training, public_test, out)


def _reseed_dropout(network: Any, seed: int, epoch: int) -> None:
    """Make the masks of an epoch the same whether or not the run was interrupted before it."""
    for index, layer in enumerate(network.layers):
        if (generator := getattr(layer, "seed_generator", None)) is not None:
            generator.state.assign(np.array([seed * 1000 + index, epoch << 16], np.uint32))


def _compile(network: Any, config: TrainingConfig, schedule: Any) -> None:
    network.compile(
        optimizer=keras.optimizers.SGD(
            schedule, momentum=0.9, nesterov=True, weight_decay=config.weight_decay
        ),
        loss=keras.losses.CategoricalCrossentropy(label_smoothing=config.label_smoothing),
        jit_compile=False,
    )


def _accuracy(network: Any, split: Split) -> float:
    return float((predict(network, split.images).argmax(1) == split.labels).mean())


def _resume(network: Any, config: TrainingConfig, state: Path, checkpoint: Path) -> int:
    if not state.exists():
        return 0
    saved = json.loads(state.read_text())
    if saved["config"] != json.loads(json.dumps(asdict(config))):
        raise BadInput(
            f"{state}: was made by another configuration; give another output folder or remove it"
        )
    network.load_weights(checkpoint)
    return int(saved["epoch"])


def _save(
    network: Any, config: TrainingConfig, state: Path, checkpoint: Path, momentum: Path, epoch: int
) -> None:
    with tempfile.TemporaryDirectory(dir=state.parent) as scratch:
        weights = Path(scratch) / checkpoint.name
        network.save_weights(weights)
        values = [np.asarray(v) for v in network.optimizer.variables]
        np.savez(Path(scratch) / momentum.name, *values)
        note = Path(scratch) / state.name
        note.write_text(json.dumps({"epoch": epoch, "config": asdict(config)}))
        for file in (weights, Path(scratch) / momentum.name, note):
            file.replace(state.parent / file.name)


def _restore_momentum(network: Any, path: Path, done: int) -> None:
    if not done:
        return
    network.optimizer.build(network.trainable_variables)
    with np.load(path, allow_pickle=False) as saved:
        for variable, name in zip(network.optimizer.variables, saved.files, strict=True):
            variable.assign(saved[name])


def _log(path: Path, epoch: int, loss: float, accuracy: float, seconds: float) -> None:
    lines = path.read_text().splitlines() if path.exists() else [LOG_HEADER]
    # An epoch that was logged and then lost with its checkpoint is logged again.
    lines = [*lines[:epoch], f"{epoch},{loss:.5f},{accuracy:.5f},{seconds:.1f}"]
    path.write_text("\n".join(lines) + "\n")


def _finish(
    network: Any, config: TrainingConfig, training: Split, public_test: Split, out: Path
) -> None:
    keras.mixed_precision.set_dtype_policy("float32")
    final = build(config)
    final.set_weights(network.get_weights())
    probabilities = predict(final, public_test.images)
    guessed = probabilities.argmax(1)
    right = guessed == public_test.labels
    fresh = ~seen_in(public_test.images, training.images)
    confusion = np.zeros((7, 7), int)
    np.add.at(confusion, (public_test.labels, guessed), 1)
    result = {
        "parameters": int(final.count_params()),
        "public_test_accuracy": float(right.mean()),
        "public_test_images": len(public_test),
        "accuracy_without_duplicates": float(right[fresh].mean()),
        "images_without_duplicates": int(fresh.sum()),
        "confusion_true_by_predicted": confusion.tolist(),
        "config": asdict(config),
    }
    final.save(out / "expression.keras")
    (out / "result.json").write_text(json.dumps(result, indent=1))
    print(json.dumps({k: v for k, v in result.items() if k != "config"}, indent=1))


def main() -> int:
    """Command line of the training; returns the exit status."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("config", type=Path, help="JSON configuration, as models/expression.json")
    parser.add_argument("data", type=Path, help="fer2013_train_public.npz")
    parser.add_argument("out", type=Path, help="folder for checkpoints and the result")
    args = parser.parse_args()
    try:
        train(read_config(args.config), args.data, args.out)
    except FerError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
