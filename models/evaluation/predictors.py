"""Models of every kind as one thing: gray faces in, probabilities out."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from fer_edge.engine.errors import BadInput, InputNotFound
from fer_edge.engine.misnamed import foreign
from fer_edge.engine.model import HEADS
from fer_edge.engine.types import Floats, Image

from ..data.faces import Gray, Images

BATCH = 64
KERAS_SUFFIXES = (".keras", ".h5", ".hdf5")


class Predictor(ABC):
    """An open model. A context manager.

    Attributes:
        name: of the file.
        labels: a name a column; None where the file does not say.
        classes: number of columns.
        runs_on: what computes, in which precision.
        names_labels: whether it answers by the head for the data set's label.
        crop_scale: see `ExpressionFacts`.
    """

    names_labels: bool = False
    crop_scale: float | None = None
    name: str
    labels: tuple[str, ...] | None
    classes: int
    runs_on: str

    @abstractmethod
    def __call__(self, images: Images) -> Floats:
        """Probabilities float32 `(n, classes)` of gray faces uint8 `(h, w)`, of any sizes."""

    def close(self) -> None:  # noqa: B027 (most have nothing to give back)
        """Give the model's memory back."""

    def __enter__(self) -> Predictor:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def open_predictor(
    path: Path,
    backend: str = "auto",
    input_range: tuple[float, float] | None = None,
    head: str = "votes",
) -> Predictor:
    """Open a Keras file with Keras, and anything else with one of the runtime's backends.

    Args:
        path: of the model.
        backend: of the runtime, for converted models.
        input_range: what pixels 0 and 255 become, for Keras models without a Rescaling
            layer; None for (-1, 1).
        head: `votes`, which is a model's only one mostly, or `label`.

    Raises:
        InputNotFound: no file at `path`.
        BadInput: no expression model, or one that cannot be loaded or lacks that head.
    """
    if (other := foreign(path)) is not None:
        raise BadInput(f"{path}: {other}")
    if not path.is_file():
        raise InputNotFound(f"{path}: no such model file")
    if path.suffix.lower() in KERAS_SUFFIXES:
        return KerasPredictor(path, input_range, head)
    return EnginePredictor(path, backend, head)


class KerasPredictor(Predictor):
    """A Keras file, checked before it is loaded."""

    def __init__(self, path: Path, input_range: tuple[float, float] | None, head: str) -> None:
        from fer_edge.convert.endings import last_activation
        from fer_edge.convert.keras_model import (
            heads_of,
            input_shape,
            load_model,
            read_keras_file,
        )

        from ..keras_backend import import_keras

        keras = import_keras()
        file = read_keras_file(path)
        self._model = load_model(path, file)
        height, width, channels = input_shape(self._model, path)[1:]
        if height is None or width is None or channels is None:
            raise BadInput(f"{path}: leaves its input size open; convert it and evaluate that")
        self._height, self._width, self._channels = height, width, channels
        low, high = input_range or ((0.0, 255.0) if file.scales_pixels else (-1.0, 1.0))
        self._offset, self._scale = low, (high - low) / 255
        self.name, self.labels = path.name, file.labels
        self.names_labels = head == "label"
        if self.names_labels and len(self._model.outputs) == 1:
            raise BadInput(f"{path}: has no head 'label'; leave --head out")
        self._head = HEADS.index(head)
        output = heads_of(self._model.outputs)[self._head]
        self.classes = int(output.shape[-1])
        self._activation = last_activation(output)
        where = "tf_keras" if file.legacy else f"Keras on {keras.backend.backend()}"
        self.runs_on = f"{where}, float32"

    def __call__(self, images: Images) -> Floats:
        """See `Predictor`."""
        rows = [self._rows(images[at : at + BATCH]) for at in range(0, len(images), BATCH)]
        return np.concatenate([np.empty((0, self.classes), np.float32), *rows])

    def _rows(self, images: Images) -> Floats:
        from fer_edge.convert.endings import as_probabilities, ending_of
        from fer_edge.convert.keras_model import heads_of

        faces = np.stack([_resized(image, self._width, self._height) for image in images])
        pixels = np.repeat(faces[..., None], self._channels, axis=3)
        scaled = (pixels * self._scale + self._offset).astype(np.float32)
        answers = self._model.predict_on_batch(scaled)
        rows = np.asarray(_to_numpy(heads_of(answers)[self._head]), np.float32)
        rows = rows.reshape(len(images), self.classes)
        try:
            return as_probabilities(rows, ending_of(rows, self._activation))
        except BadInput as error:
            raise BadInput(f"{self.name}: {error}") from error


class EnginePredictor(Predictor):
    """A converted model, which knows its own input."""

    def __init__(self, path: Path, backend: str, head: str) -> None:
        from fer_edge.engine.backends import open_backend

        self._backend = open_backend(path, backend)
        facts = self._backend.facts
        if facts.expression is None:
            self._backend.close()
            raise BadInput(f"{path}: a {facts.kind} model, no expression model")
        try:
            self._output = facts.expression.output_of(head, str(path))
        except BadInput:
            self._backend.close()
            raise
        self.names_labels = head == "label"
        self.name, self.labels, self.classes = path.name, facts.labels, len(facts.labels)
        self.crop_scale = facts.expression.crop_scale
        self.runs_on = (
            f"{type(self._backend).__name__} on {self._backend.device}, {self._backend.precision}"
        )

    def __call__(self, images: Images) -> Floats:
        """See `Predictor`."""
        from fer_edge.engine.preprocess import network_input

        facts = self._backend.facts.input
        rows = [np.empty((0, self.classes), np.float32)]
        for at in range(0, len(images), BATCH):
            faces = [network_input(_coloured(image), facts) for image in images[at : at + BATCH]]
            rows.append(self._backend.infer({facts.name: np.concatenate(faces)})[self._output])
        return np.concatenate(rows)

    def close(self) -> None:
        """See `Predictor`."""
        self._backend.close()


def align(rows: Floats, labels: Sequence[str] | None, classes: Sequence[str]) -> Floats:
    """Columns of a model in the order of a data set's classes.

    Of a data set with fewer classes than the model, each row is what the model says where it is
    known to be one of them.

    Args:
        rows: float32 `(n, len(labels))`.
        labels: of the columns, compared without case; None takes them as being in the order of
            `classes`.
        classes: of the data set.

    Raises:
        BadInput: the model does not know a class of the data set.
    """
    if labels is None:
        if rows.shape[1] != len(classes):
            raise BadInput(
                f"the model has {rows.shape[1]} classes, the data set {len(classes)}: "
                f"{', '.join(classes)}"
            )
        return rows
    known = [label.casefold() for label in labels]
    if missing := [name for name in classes if name.casefold() not in known]:
        raise BadInput(
            f"the model knows {', '.join(labels)}, and not {', '.join(missing)} of the data set"
        )
    chosen = rows[:, [known.index(name.casefold()) for name in classes]]
    if len(classes) == rows.shape[1]:
        return chosen
    return chosen / np.maximum(chosen.sum(axis=1, keepdims=True), np.finfo(np.float32).tiny)


def _coloured(image: Gray) -> Image:
    return np.repeat(image[..., None], 3, axis=2)


def _resized(image: Gray, width: int, height: int) -> Floats:
    """As the runtime resizes faces: by area when shrinking, else bilinearly."""
    shrinks = image.shape[0] >= height and image.shape[1] >= width
    how = cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR
    return cv2.resize(image.astype(np.float32), (width, height), interpolation=how)  # type: ignore[return-value]


def _to_numpy(value: Any) -> Any:
    return value.numpy() if hasattr(value, "numpy") else value
