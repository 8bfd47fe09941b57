"""Training a network: the loop over epochs, from wherever it was left.

A run is a function of its configuration and its faces: order, augmentation and dropout of
an epoch depend on the seed and its number alone. Its state is kept after every epoch, so
that a run that was killed goes on from its last whole one.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import keras
import numpy as np
import numpy.typing as npt

from fer_edge.engine.errors import BadInput, OutputNotWritable

from .batches import Batches, as_input
from .checkpoint import Arrays, Checkpoint, Progress, assign_all, load_checkpoint, save_checkpoint
from .config import TrainingConfig
from .data import LabelledFaces
from .keras_files import save_keras
from .logs import Bar, RunLog
from .networks import build_network
from .networks.copying import copy_network
from .networks.initial import load_initial_weights, take_weights
from .normalisation import Normalisations
from .optimizer import build_optimizer
from .schedule import rate_at
from .teachers import Teachers

# Faces by which averaged weights get their normalisation.
NORMALISATION_FACES = 4096
CHECKPOINT, MODEL, CONFIG = "checkpoint.npz", "expression.keras", "config.json"
# Folders of the run before and of those of the teachers, in that of the run.
PREVIOUS, TEACHERS = "previous", "teachers"


def train(
    config: TrainingConfig,
    training: LabelledFaces,
    held_out: LabelledFaces,
    classes: Sequence[str],
    folder: Path,
    start: Any = None,
    quiet: bool = False,
) -> Any:
    """Train a network, or go on training it.

    Args:
        config: of the run. Its `previous` is trained first, unless there is a `start`, and
            so are its `teachers`.
        training: faces to learn from.
        held_out: faces to judge by after every epoch.
        classes: a name a label; they travel in the file.
        folder: for `checkpoint.npz`, `config.json`, `log.csv`, `tensorboard/` and, at the
            end, `expression.keras`. The previous run has the same in `previous/`, and
            teachers in `teachers/1/`, `teachers/2/` and so on; of equal runs only the first.
        start: a float32 Keras model to begin with in place of the configuration's own.
        quiet: whether to show nothing.

    Returns:
        The trained network, float32, as it is in `expression.keras`.

    Raises:
        BadInput: the folder holds another run, or the faces do not fill one batch.
        OutputNotWritable: the folder cannot be written to.
    """
    return _Runs(training, held_out, classes, quiet).train(config, folder, start)


class _Runs:
    """A run and those it needs, each made once."""

    def __init__(
        self, training: LabelledFaces, held_out: LabelledFaces, labels: Sequence[str], quiet: bool
    ) -> None:
        self._faces, self._labels, self._quiet = (training, held_out), labels, quiet
        self._made: list[tuple[TrainingConfig, Any]] = []

    def train(self, config: TrainingConfig, folder: Path, start: Any = None) -> Any:
        """See `train`."""
        _prepare(folder)
        earlier = None
        if config.previous and start is None:
            earlier = self._needed(config.previous, folder / PREVIOUS, "the previous run")
        teachers = [earlier] if earlier is not None and config.previous_teaches else []
        for number, teacher in enumerate(config.teachers, start=1):
            name = f"teacher {number} of {len(config.teachers)}"
            teachers.append(self._needed(teacher, folder / TEACHERS / str(number), name))
        return self._train(config, folder, _Origins(start, earlier, teachers))

    def _needed(self, config: TrainingConfig, folder: Path, name: str) -> Any:
        for known, network in self._made:
            if known == config:
                self._say(f"{name}: one that was made before")
                return network
        self._say(f"{name}: {folder}")
        network = self.train(config, folder)
        self._made.append((config, network))
        return network

    def _say(self, text: str) -> None:
        if not self._quiet:
            print(text, file=sys.stderr)

    def _train(self, config: TrainingConfig, folder: Path, origins: _Origins) -> Any:
        run = _Run(config, *self._faces, self._labels, folder, origins)
        state = run.resume()
        (folder / CONFIG).write_text(config.to_json() + "\n")
        bar = Bar(config.epochs, run.steps, state.epoch, self._quiet)
        if origins.earlier is not None:
            bar.say("begins with the network of the previous run")
        if count := len(origins.teachers):
            bar.say(f"taught by {count} network{'s' * (count > 1)}")
        if state.epoch:
            bar.say(f"going on after epoch {state.epoch} of {config.epochs}")
        try:
            with RunLog(folder, state.epoch) as log:
                while not run.finished(state):
                    state = run.epoch(state, bar, log)
        finally:
            bar.close()
        return run.finish(state)


@dataclass(frozen=True)
class _Origins:
    """Networks that a run begins with or learns from: float32 Keras models."""

    start: Any
    earlier: Any
    teachers: Sequence[Any]


def _prepare(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise OutputNotWritable(f"{folder}: cannot be made ({error.strerror})") from error


def predict(network: Any, images: npt.NDArray[np.uint8]) -> npt.NDArray[np.float32]:
    """Probabilities float32 `(n, classes)` of gray faces uint8 `(n, 48, 48)`."""
    batches = [
        np.asarray(
            keras.ops.convert_to_numpy(network.predict_on_batch(as_input(images[at : at + 256])))
        )
        for at in range(0, len(images), 256)
    ]
    return np.concatenate(batches).astype(np.float32)


def snapshot(network: Any, images: npt.NDArray[np.uint8]) -> npt.NDArray[np.float16]:
    """Probabilities `(n, classes)` of faces `(n, 48, 48)`, each the mean with its mirror image."""
    both = predict(network, images), predict(network, images[..., ::-1])
    return np.mean(both, axis=0).astype(np.float16)


class _Run:
    def __init__(
        self,
        config: TrainingConfig,
        training: LabelledFaces,
        held_out: LabelledFaces,
        labels: Sequence[str],
        folder: Path,
        origins: _Origins,
    ) -> None:
        self.config, self.training, self.held_out = config, training, held_out
        self.labels, self.classes = tuple(labels), len(labels)
        self.folder, self.start, self.earlier = folder, origins.start, origins.earlier
        self.faces = training.fingerprint()
        self.steps = len(training) // config.batch_size
        if not self.steps:
            raise BadInput(
                f"{len(training)} faces to train on do not fill a batch of {config.batch_size}; "
                "make batch_size smaller"
            )
        keras.utils.set_random_seed(config.seed)
        keras.config.set_dtype_policy(config.precision)
        try:
            self.network = self._build()
        finally:
            keras.config.set_dtype_policy("float32")
        if self.earlier is not None:
            take_weights(self.network, self.earlier)
        elif self.start is None and config.initial_weights:
            load_initial_weights(self.network, config.initial_weights)
        self._compile()
        self.normalisations = Normalisations(self.network)
        self.teachers = None
        if origins.teachers:
            turns = config.teachers_take_turns
            self.teachers = Teachers(origins.teachers, config.precision, turns)
        self.best: Arrays = []
        self.taught: Arrays = []

    def _build(self) -> Any:
        """The network under the dtype policy in force."""
        if self.start is not None:
            return copy_network(self.start)
        return build_network(self.config.architecture, self.classes, self.config.network)

    def _compile(self) -> None:
        config = self.config
        self.network.compile(
            optimizer=build_optimizer(config, self.steps),
            loss=keras.losses.CategoricalCrossentropy(label_smoothing=config.label_smoothing),
            jit_compile=keras.backend.backend() == "jax",
        )
        self.network.optimizer.build(self.network.trainable_variables)

    def resume(self) -> Progress:
        path = self.folder / CHECKPOINT
        state = load_checkpoint(path, self.config, self.faces)
        if state is None:
            return Progress()
        assign_all(self.network.weights, state.weights, path)
        assign_all(self.network.optimizer.variables, state.optimizer, path)
        self.best, self.taught = state.best, state.taught
        return state.progress

    def finished(self, state: Progress) -> bool:
        patience = self.config.patience
        if patience and state.epoch - state.best_epoch >= patience:
            return True
        return state.epoch >= self.config.epochs

    def epoch(self, state: Progress, bar: Bar, log: RunLog) -> Progress:
        number = state.epoch
        started = time.perf_counter()
        bar.begin(number)
        self.learn_from_before(number)
        _reseed_dropout(self.network, self.config.seed, number)
        taught = self.taught[0] if self.taught else None
        batches = Batches(self.training, self.classes, self.config, number, taught, self.teachers)
        try:
            history = self.network.fit(batches, verbose=0, shuffle=False, callbacks=[bar]).history
        finally:
            batches.close()
        with self.averaged():
            loss, accuracy = self.judge()
            better = accuracy > state.best_accuracy
            if better and self.config.patience:
                self.best = _values(self.network.weights)
        state = replace(state, epoch=number + 1)
        if better:
            state = replace(state, best_epoch=number + 1, best_accuracy=accuracy)
        seconds = time.perf_counter() - started
        trained = float(history["loss"][-1])
        rate = float(rate_at(self.config, number + 1))
        # First the log: rows beyond the last checkpoint are dropped when a run goes on.
        log.write((number + 1, trained, loss, accuracy, rate, seconds))
        self.save(state)
        left = seconds * (self.config.epochs - number - 1) / 60
        bar.say(
            f"epoch {number + 1}/{self.config.epochs}  loss {trained:.4f}  held out "
            f"{accuracy:.4f}  best {state.best_accuracy:.4f}  {seconds:.0f} s, {left:.0f} min left"
        )
        return state

    def learn_from_before(self, number: int) -> None:
        """Ask the network that was there before what it says of the training faces."""
        if not self.config.snapshot_share:
            return
        if number == 0 and self.earlier is not None:
            self.taught = [snapshot(self.earlier, self.training.images)]
        elif any(number == end for end, _ in self.config.restarts):
            with self.averaged():
                self.taught = [snapshot(self.network, self.training.images)]

    def judge(self) -> tuple[float, float]:
        """(cross-entropy, accuracy) on the held-out faces."""
        rows = predict(self.network, self.held_out.images)
        labels = self.held_out.labels
        truth = rows[np.arange(len(labels)), labels]
        loss = float(-np.log(np.maximum(truth, 1e-7)).mean())
        return loss, float((rows.argmax(axis=1) == labels).mean())

    @contextmanager
    def averaged(self) -> Iterator[None]:
        """The network as it is judged: with the moving average of its weights."""
        trained = _values(self.network.weights)
        try:
            self.network.optimizer.take_average(self.network.trainable_variables)
            if self.config.average_decay:
                self.normalisations.refresh(self.training.images[:NORMALISATION_FACES])
            yield
        finally:
            for variable, value in zip(self.network.weights, trained, strict=True):
                variable.assign(value)

    def save(self, state: Progress) -> None:
        weights, optimizer = (
            _values(self.network.weights),
            _values(self.network.optimizer.variables),
        )
        checkpoint = Checkpoint(state, weights, optimizer, self.best, self.taught)
        save_checkpoint(self.folder / CHECKPOINT, self.config, self.faces, checkpoint)

    def finish(self, state: Progress) -> Any:
        final = self._build()
        if self.best and self.config.patience:
            weights = self.best
        else:
            with self.averaged():
                weights = _values(self.network.weights)
        assign_all(final.weights, weights, self.folder / CHECKPOINT)
        save_keras(final, self.folder / MODEL, self.labels)
        return final


def _values(variables: Any) -> Arrays:
    return [np.array(keras.ops.convert_to_numpy(variable)) for variable in variables]


def _reseed_dropout(network: Any, seed: int, epoch: int) -> None:
    """Make the masks of an epoch the same whether or not the run was interrupted before it."""
    for index, layer in enumerate(network.layers):
        if (generator := getattr(layer, "seed_generator", None)) is not None:
            generator.state.assign(np.array([seed * 1000 + index, epoch << 16], np.uint32))
