"""Shuffled, augmented batches: a pure function of the seed, the epoch and the step."""

from __future__ import annotations

import os
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

import keras
import numpy as np
import numpy.typing as npt

from .augment import augment
from .config import TrainingConfig
from .data import LabelledFaces
from .targets import label_targets, targets

Floats = npt.NDArray[np.float32]
Heads = Floats | tuple[Floats, Floats]
Batch = tuple[Floats, Heads, Heads]
# Threads that prepare batches ahead, and how far. OpenCV and NumPy let go of the interpreter
# while they work; one is enough to stay ahead of a CPU, a few keep a GPU busy.
LOADERS = min(4, os.cpu_count() or 1)
AHEAD = 8


class Batches(keras.utils.PyDataset):  # type: ignore[misc]
    """One epoch of training: images float32 `(n, 48, 48, 1)`, targets and weights.

    For a network with a head for the label, targets and weights are pairs: of the votes first.

    Batches are made ahead in threads of its own: those of Keras lose the first batches of an
    epoch on some back ends (Keras 3.15 on PyTorch and JAX).

    Args:
        faces: to train on; the last incomplete batch is left out.
        classes: number of columns of the targets.
        config: order, augmentation, mixing and class weights.
        epoch: from 0; each has its own order and changes.
        taught: probabilities `(n, classes)` that take `config.snapshot_share` of the targets.
        teachers: asked about each batch as it will be seen; what they say takes
            `config.teacher_share` of the targets.
        label_head: whether the network has one. What was taught is not for it.
    """

    def __init__(
        self,
        faces: LabelledFaces,
        classes: int,
        config: TrainingConfig,
        epoch: int,
        taught: npt.NDArray[Any] | None = None,
        teachers: Callable[[Floats], Floats] | None = None,
        label_head: bool = False,
    ) -> None:
        super().__init__()
        self._faces, self._config, self._epoch = faces, config, epoch
        self._labels = label_targets(faces, classes) if label_head else None
        # With a head of its own, the label has its share in the loss.
        self._targets = targets(faces, classes, 0.0 if label_head else config.label_share)
        main = self._targets.argmax(axis=1)
        if taught is not None:
            self._targets += config.snapshot_share * (taught.astype(np.float32) - self._targets)
        self._weights = class_weights(main, classes, config.class_balance)[main]
        self._order = np.random.default_rng((config.seed, epoch)).permutation(len(faces))
        self._teachers = teachers
        self._threads = ThreadPoolExecutor(LOADERS, "fer-batches")
        self._made: dict[int, Future[Batch]] = {}

    def __len__(self) -> int:
        return len(self._faces) // self._config.batch_size

    def __getitem__(self, index: int) -> Batch:
        for ahead in range(index, min(index + AHEAD, len(self))):
            if ahead not in self._made:
                self._made[ahead] = self._threads.submit(self._make, ahead)
        return self._made.pop(index).result()

    def close(self) -> None:
        """Let the threads end."""
        self._threads.shutdown(cancel_futures=True)

    def _make(self, index: int) -> Batch:
        config = self._config
        chosen = self._order[index * config.batch_size :][: config.batch_size]
        rng = np.random.default_rng((config.seed, self._epoch, index))
        images = augment(self._faces.images[chosen], config.augmentation, rng)[..., None]
        wanted, weights = self._targets[chosen], self._weights[chosen]
        labels = None if self._labels is None else self._labels[chosen]
        if config.mixup:
            images, wanted, labels = _mix(images, wanted, labels, config.mixup, rng)
        if self._teachers is not None:
            wanted = wanted + config.teacher_share * (self._teachers(images) - wanted)
        if labels is None:
            return images, wanted, weights
        # A label that is not known is zeros, and teaches nothing.
        return images, (wanted, labels), (weights, weights * labels.sum(axis=1))


def class_weights(labels: npt.NDArray[np.int64], classes: int, exponent: float) -> Floats:
    """Weights `(classes,)` proportional to `(1 / count) ** exponent`, with mean 1 over `labels`."""
    counts = np.maximum(np.bincount(labels, minlength=classes), 1)
    weights = (1 / counts) ** exponent
    return (weights * len(labels) / (weights * counts).sum()).astype(np.float32)


def _mix(
    images: Floats, wanted: Floats, labels: Floats | None, alpha: float, rng: np.random.Generator
) -> tuple[Floats, Floats, Floats | None]:
    share = rng.beta(alpha, alpha, (len(images), 1)).astype(np.float32)
    other = rng.permutation(len(images))

    def mixed(rows: Floats) -> Floats:
        weight = share.reshape(-1, *[1] * (rows.ndim - 1))
        return weight * rows + (1 - weight) * rows[other]

    return mixed(images), mixed(wanted), None if labels is None else mixed(labels)


def as_input(images: npt.NDArray[np.uint8]) -> Any:
    """Gray faces uint8 `(n, h, w)` as the networks take them: float32 `(n, h, w, 1)`, 0-255."""
    return images[..., None].astype(np.float32)
