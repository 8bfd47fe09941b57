"""Teaching a trained network another data set, with other classes perhaps."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from fer_edge.engine.errors import BadInput

from .config import TrainingConfig
from .data import DataSet, Division
from .evaluation.metrics import Figures, measure
from .fit import predict
from .keras_files import load_for_training, without_label_head
from .networks.copying import copy_network
from .runs import train


@dataclass(frozen=True)
class Start:
    """A network to begin with.

    Attributes:
        network: a float32 Keras model of the classes that are wanted.
        new_head: whether its head has fresh weights.
    """

    network: Any
    new_head: bool


def start_from(path: Path, classes: Sequence[str]) -> Start:
    """Load a model and give it another head where the classes differ.

    A file that does not name its classes keeps its head when their number is the same. A
    second head, for a label, is left out.

    Raises:
        InputNotFound, BadInput, UnsafeModel: see `load_for_training` and `copy_network`.
    """
    model, file = load_for_training(path)
    model = without_label_head(model)
    same = len(classes) == model.output_shape[-1]
    if file.labels is not None:
        same = tuple(classes) == file.labels
    try:
        copy = copy_network(model, None if same else len(classes), rescale=not file.scales_pixels)
    except BadInput as error:
        raise BadInput(f"{path}: {error}") from error
    if tuple(copy.output_shape) != (None, len(classes)):
        raise BadInput(f"{path}: output {copy.output_shape}, expected {(None, len(classes))}")
    return Start(copy, not same)


@dataclass(frozen=True)
class CrossValidation:
    """Every face judged by a network that never saw its person.

    Attributes:
        rows: probabilities float32 `(n, classes)` of the held-out faces, part after part.
        labels: their classes `(n,)`.
        images, names: the faces themselves.
        accuracies: of the parts, 0-1.
    """

    rows: Any
    labels: Any
    images: Any
    names: tuple[str, ...]
    accuracies: tuple[float, ...]

    def figures(self, classes: tuple[str, ...]) -> Figures:
        """Figures over all parts together."""
        return measure(self.rows, self.labels, classes)


def cross_validate(
    config: TrainingConfig,
    data: DataSet,
    parts: Sequence[Division],
    model: Path,
    folder: Path,
    quiet: bool = False,
) -> CrossValidation:
    """Train once for each part, from the same start, and judge by it.

    Args:
        config: of every run.
        data: for the names of the classes.
        parts: see `folds`.
        model: to begin with.
        folder: each part's run is in `fold1`, `fold2`, ... below it.
        quiet: whether to show nothing.
    """
    rows = []
    for number, part in enumerate(parts, start=1):
        start = start_from(model, data.classes).network
        below = folder / f"fold{number}"
        network = train(config, part.training, part.held_out, data.classes, below, start, quiet)
        rows.append(predict(network, part.held_out.images))
    held = [part.held_out for part in parts]
    return CrossValidation(
        rows=np.concatenate(rows),
        labels=np.concatenate([faces.labels for faces in held]),
        images=np.concatenate([faces.images for faces in held]),
        names=tuple(name for faces in held for name in faces.names),
        accuracies=tuple(
            float((r.argmax(axis=1) == faces.labels).mean())
            for r, faces in zip(rows, held, strict=True)
        ),
    )
