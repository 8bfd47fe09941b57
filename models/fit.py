"""Training one network: the loop over epochs, from wherever it was left.

A run is a function of its configuration and its faces: order, augmentation and dropout of
an epoch depend on the seed and its number alone. Its state is kept after every epoch, so
that a run that was killed goes on from its last whole one.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import keras
import numpy as np
import numpy.typing as npt

from fer_edge.engine.certainty import Certainty
from fer_edge.engine.errors import BadInput
from fer_edge.engine.outputs import write_file

from .batches import Batches, as_input
from .certainty import fit_certainty
from .checkpoint import Arrays, Checkpoint, Progress, assign_all, load_checkpoint, save_checkpoint
from .config import TrainingConfig
from .data import LabelledFaces
from .data.splits import keep_back
from .keras_files import save_keras
from .logs import Bar, RunLog
from .networks import build_network
from .networks.copying import copy_network
from .networks.initial import load_initial_weights, take_weights
from .networks.pruning import is_narrower, take_pruned
from .normalisation import Normalisations
from .optimizer import build_optimizer
from .schedule import rate_at
from .sheet import write_sheet
from .targets import targets, truths
from .teachers import Teachers
from .temperature import fit_temperature, fold_temperature

# Faces by which averaged weights get their normalisation.
NORMALISATION_FACES = 4096
# Layers before the softmax of each head.
HEADS = ("logits", "label_logits")
CHECKPOINT, MODEL, CONFIG = "checkpoint.npz", "expression.keras", "config.json"
SHEET = "augmented.png"


def predict(network: Any, images: npt.NDArray[np.uint8]) -> npt.NDArray[np.float32]:
    """Probabilities float32 `(n, classes)` of gray faces uint8 `(n, 48, 48)`, by the first head."""
    return heads(network, images)[0]


def heads(network: Any, images: npt.NDArray[np.uint8]) -> list[npt.NDArray[np.float32]]:
    """What each head says of gray faces uint8 `(n, 48, 48)`: probabilities `(n, classes)`."""
    batches = []
    for at in range(0, len(images), 256):
        found = network.predict_on_batch(as_input(images[at : at + 256]))
        batches.append(found if isinstance(found, list) else [found])
    return [
        np.concatenate([np.asarray(keras.ops.convert_to_numpy(rows)) for rows in of_head]).astype(
            np.float32
        )
        for of_head in zip(*batches, strict=True)
    ]


def snapshot(network: Any, images: npt.NDArray[np.uint8]) -> npt.NDArray[np.float16]:
    """Probabilities `(n, classes)` of faces `(n, 48, 48)`, each the mean with its mirror image."""
    both = predict(network, images), predict(network, images[..., ::-1])
    return np.mean(both, axis=0).astype(np.float16)


@dataclass(frozen=True)
class Origins:
    """Float32 Keras models that a run begins with or learns from.

    Attributes:
        start: to begin with in place of the configuration's own network; None for that.
        earlier: the network of the previous run, if any.
        teachers: see `TrainingConfig.teachers`.
    """

    start: Any = None
    earlier: Any = None
    teachers: Sequence[Any] = ()


def train_one(
    config: TrainingConfig,
    training: LabelledFaces,
    held_out: LabelledFaces,
    labels: Sequence[str],
    folder: Path,
    origins: Origins,
    quiet: bool,
) -> Any:
    """Train the network of one run, or go on training it; see `runs.train`."""
    run = _Run(config, training, held_out, labels, folder, origins)
    state = run.resume()
    write_file(folder / CONFIG, config.to_json() + "\n")
    write_sheet(folder / SHEET, run.training, config.augmentation, config.seed)
    bar = Bar(config.epochs, run.steps, state.epoch, quiet)
    if origins.earlier is not None:
        bar.say("begins with the network of the previous run")
    if count := len(origins.teachers):
        bar.say(f"taught by {count} network{'s' * (count > 1)}")
    if state.epoch:
        bar.say(f"going on after epoch {state.epoch} of {config.epochs}")
    try:
        with RunLog(folder, state.epoch) as log:
            while not ended(config, state):
                state = run.epoch(state, bar, log)
    finally:
        bar.close()
    return run.finish(state)


def ended(config: TrainingConfig, state: Progress) -> bool:
    """Whether a run that has come this far is over."""
    if config.patience and state.epoch - state.best_epoch >= config.patience:
        return True
    return state.epoch >= config.epochs


class _Run:
    def __init__(
        self,
        config: TrainingConfig,
        training: LabelledFaces,
        held_out: LabelledFaces,
        labels: Sequence[str],
        folder: Path,
        origins: Origins,
    ) -> None:
        self.config, self.held_out = config, held_out
        self.labels, self.classes = tuple(labels), len(labels)
        taught = np.asarray(targets(training, self.classes, config.label_share).any(axis=1))
        self.training, self.kept_back = keep_back(training.take(taught), config.kept_back_share)
        self.folder, self.start, self.earlier = folder, origins.start, origins.earlier
        self.faces = training.fingerprint()
        self.steps = len(self.training) // config.batch_size
        if not self.steps:
            raise BadInput(
                f"{len(self.training)} faces to train on do not fill a batch of "
                f"{config.batch_size}; make batch_size smaller"
            )
        keras.utils.set_random_seed(config.seed)
        keras.config.set_dtype_policy(config.precision)
        try:
            self.network = self._build()
        finally:
            keras.config.set_dtype_policy("float32")
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

    def _begin(self) -> None:
        """Give the network its first weights, where it shall not begin with its own."""
        if self.earlier is not None:
            if is_narrower(self.network, self.earlier):
                take_pruned(self.network, self.earlier, self.training.images)
            else:
                take_weights(self.network, self.earlier)
        elif self.start is None and self.config.initial_weights:
            load_initial_weights(self.network, self.config.initial_weights)

    def _compile(self) -> None:
        config = self.config
        loss = keras.losses.CategoricalCrossentropy(label_smoothing=config.label_smoothing)
        self.label_head = len(self.network.outputs) > 1
        self.network.compile(
            optimizer=build_optimizer(config, self.steps),
            loss=[loss, loss] if self.label_head else loss,
            loss_weights=[1 - config.label_share, config.label_share] if self.label_head else None,
            jit_compile=keras.backend.backend() == "jax",
        )
        self.network.optimizer.build(self.network.trainable_variables)

    def resume(self) -> Progress:
        path = self.folder / CHECKPOINT
        state = load_checkpoint(path, self.config, self.faces)
        if state is None:
            self._begin()
            return Progress()
        assign_all(self.network.weights, state.weights, path)
        assign_all(self.network.optimizer.variables, state.optimizer, path)
        self.best, self.taught = state.best, state.taught
        return state.progress

    def epoch(self, state: Progress, bar: Bar, log: RunLog) -> Progress:
        number = state.epoch
        started = time.perf_counter()
        bar.begin(number)
        self.learn_from_before(number)
        reseed = _reseed_dropout(self.network, self.config.seed, number)
        taught = self.taught[0] if self.taught else None
        batches = Batches(
            self.training, self.classes, self.config, number, taught, self.teachers,
            self.label_head,
        )  # fmt: skip
        try:
            history = self.network.fit(
                batches, verbose=0, shuffle=False, callbacks=[reseed, bar]
            ).history
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
        """(cross-entropy, accuracy) on the held-out faces, whose truth is known."""
        labels = truths(self.held_out, self.by_votes)
        known = labels >= 0
        rows, labels = predict(self.network, self.held_out.images[known]), labels[known]
        truth = rows[np.arange(len(labels)), labels]
        loss = float(-np.log(np.maximum(truth, 1e-7)).mean())
        return loss, float((rows.argmax(axis=1) == labels).mean())

    @property
    def by_votes(self) -> bool:
        """Whether the first head is to say what people say."""
        return self.label_head or self.config.label_share < 1

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
        certainty = None
        if len(self.kept_back):
            self._calibrate(final)
            certainty = self._certainty(final)
        save_keras(final, self.folder / MODEL, self.labels, certainty)
        return final

    def _calibrate(self, network: Any) -> None:
        """Fold the temperature of each head into its last layer."""
        faces = self.kept_back
        of_heads = heads(network, faces.images)
        for index, (layer, rows) in enumerate(zip(HEADS, of_heads, strict=False)):
            labels = truths(faces, self.by_votes and index == 0)
            known = labels >= 0
            if known.any():
                fold_temperature(
                    network.get_layer(layer), fit_temperature(rows[known], labels[known])
                )

    def _certainty(self, network: Any) -> Certainty | None:
        """When the first head's answer is one; None where nobody voted."""
        faces = self.kept_back
        clear = faces.majorities >= 0
        if not (self.by_votes and clear.any()):
            return None
        return fit_certainty(
            partial(predict, network), faces.images[clear], faces.majorities[clear]
        )


def _values(variables: Any) -> Arrays:
    return [np.array(keras.ops.convert_to_numpy(variable)) for variable in variables]


def _reseed_dropout(network: Any, seed: int, epoch: int) -> Any:
    """Make the masks of an epoch the same whether or not the run was interrupted before it.

    Returns a callback for `fit`.
    """
    for index, layer in enumerate(network.layers):
        if (generator := getattr(layer, "seed_generator", None)) is not None:
            generator.state.assign(np.array([seed * 1000 + index, epoch << 16], np.uint32))
    # PyTorch draws the masks of layers without a seed from its own generator, and the first
    # `fit` of a network draws from that too, before the first batch.
    whole = int(np.random.SeedSequence((seed, epoch)).generate_state(1)[0])
    return keras.callbacks.LambdaCallback(
        on_epoch_begin=lambda *_: keras.utils.set_random_seed(whole)
    )
