"""A training run and the runs it needs: the previous one and those of its teachers."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from fer_edge.engine.errors import OutputNotWritable
from fer_edge.engine.outputs import only_run_in

from .checkpoint import load_checkpoint
from .config import TrainingConfig
from .data import LabelledFaces
from .fit import CHECKPOINT, MODEL, Origins, ended, train_one
from .keras_files import load_for_training
from .networks.initial import find_initial_weights

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
        folder: for `checkpoint.npz`, `config.json`, `augmented.png` (faces as they are shown),
            `log.csv`, `tensorboard/` and, at the end, `expression.keras`. The previous run has
            the same in `previous/`, and teachers in `teachers/1/`, `teachers/2/` and so on; of
            equal runs only the first.
        start: a float32 Keras model to begin with in place of the configuration's own.
        quiet: whether to show nothing.

    Returns:
        The trained network, float32, as it is in `expression.keras`.

    Raises:
        BadInput: the folder holds another run, or the faces do not fill one batch.
        InputNotFound: initial weights of this run or of one that it needs are missing.
        OutputNotWritable: the folder cannot be written to, or another run is writing into it.
    """
    places = list(_places(config, folder))
    if start is None:
        _check_beginnings([*places, (config, folder)])
    with only_run_in(folder):
        return _Runs(training, held_out, classes, places, quiet).train(config, folder, start)


def _places(config: TrainingConfig, folder: Path) -> Iterator[tuple[TrainingConfig, Path]]:
    """The runs that one needs and their folders, in the order they are made."""
    needed = [(teacher, f"{TEACHERS}/{i}") for i, teacher in enumerate(config.teachers, start=1)]
    if config.previous:
        needed.insert(0, (config.previous, PREVIOUS))
    for run, name in needed:
        yield from _places(run, folder / name)
        yield run, folder / name


def _check_beginnings(places: Sequence[tuple[TrainingConfig, Path]]) -> None:
    """Miss initial weights before the first run, not when it comes to the one without."""
    for config, folder in places:
        begins = config.previous is None and not (folder / CHECKPOINT).exists()
        if begins and config.initial_weights:
            find_initial_weights(config.initial_weights)


class _Runs:
    """Runs on the same faces, each made once."""

    def __init__(
        self,
        training: LabelledFaces,
        held_out: LabelledFaces,
        labels: Sequence[str],
        places: Sequence[tuple[TrainingConfig, Path]],
        quiet: bool,
    ) -> None:
        self._training, self._held_out, self._labels = training, held_out, labels
        self._places, self._quiet = places, quiet
        self._made: list[tuple[TrainingConfig, Any]] = []

    def train(self, config: TrainingConfig, folder: Path, start: Any = None) -> Any:
        """See `train`."""
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise OutputNotWritable(f"{folder}: cannot be made ({error.strerror})") from error
        earlier = None
        if config.previous and start is None:
            earlier = self._needed(config.previous, "the previous run")
        teachers = [earlier] if earlier is not None and config.previous_teaches else []
        for number, teacher in enumerate(config.teachers, start=1):
            teachers.append(self._needed(teacher, f"teacher {number} of {len(config.teachers)}"))
        return train_one(
            config, self._training, self._held_out, self._labels, folder,
            Origins(start, earlier, teachers), self._quiet,
        )  # fmt: skip

    def _needed(self, config: TrainingConfig, name: str) -> Any:
        for known, network in self._made:
            if known == config:
                self._say(f"{name}: one that was made before")
                return network
        # The first place of equal ones: it may lie in a run that has ended and is not entered.
        folder = next(place for run, place in self._places if run == config)
        network = self._finished(config, folder)
        if network is None:
            self._say(f"{name}: {folder}")
            network = self.train(config, folder)
        else:
            self._say(f"{name}: {folder / MODEL}, finished")
        self._made.append((config, network))
        return network

    def _finished(self, config: TrainingConfig, folder: Path) -> Any:
        """The network of a run that has ended, as its file has it; None where it must go on."""
        state, model = folder / CHECKPOINT, folder / MODEL
        checkpoint = load_checkpoint(state, config, self._training.fingerprint())
        if checkpoint is None or not ended(config, checkpoint.progress):
            return None
        # An older file is from before a run was made longer.
        if not model.is_file() or model.stat().st_mtime_ns < state.stat().st_mtime_ns:
            return None
        return load_for_training(model)[0]

    def _say(self, text: str) -> None:
        if not self._quiet:
            print(text, file=sys.stderr)
