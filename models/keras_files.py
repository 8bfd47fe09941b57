"""Keras files with the names of their classes in them."""

from __future__ import annotations

import json
import zipfile
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from fer_edge.convert.keras_model import (
    FACTS_MEMBER,
    KerasFile,
    has_label_head,
    load_model,
    read_keras_file,
)
from fer_edge.engine.certainty import Certainty
from fer_edge.engine.errors import BadInput, InputNotFound
from fer_edge.engine.outputs import PendingFile


def save_keras(
    model: Any, path: Path, labels: Sequence[str], certainty: Certainty | None = None
) -> None:
    """Write a `.keras` file that `fer-convert` needs no `--labels` for.

    Args:
        model: a Keras classifier.
        path: of the file.
        labels: names of its classes.
        certainty: what a face has to be like for its answer to be told; None tells all.

    Raises:
        OutputNotWritable: the file cannot be written.
    """
    with PendingFile(path) as pending, pending.writing():
        model.save(pending.path)
        with zipfile.ZipFile(pending.path, "a") as archive:
            archive.writestr(FACTS_MEMBER, json.dumps(own_facts(labels, certainty)))


def own_facts(labels: Sequence[str], certainty: Certainty | None) -> dict[str, Any]:
    """The JSON object that a file of fer-train has beside what Keras writes."""
    facts: dict[str, Any] = {"labels": list(labels)}
    return facts if certainty is None else {**facts, "certainty": asdict(certainty)}


def load_for_training(path: Path) -> tuple[Any, KerasFile]:
    """Load a Keras file as a Keras 3 model.

    Raises:
        InputNotFound: no file at `path`.
        BadInput: not a model of gray 48x48 faces, or one that Keras 3 cannot load.
        UnsafeModel: a layer outside the allow-list.
    """
    if not path.is_file():
        raise InputNotFound(f"{path}: no such model file")
    file = read_keras_file(path)
    model = load_model(path, file, legacy=False)
    shape = tuple(model.input_shape)
    one = len(model.outputs) == 1 or has_label_head(model)
    if len(model.inputs) != 1 or not one or shape[1:] != (48, 48, 1):
        raise BadInput(f"{path}: input {shape}; training takes models of 48x48 gray faces")
    return model, file


def without_label_head(model: Any) -> Any:
    """A Keras classifier of one output: a second head, of the label, is left out."""
    import keras

    if len(model.outputs) == 1:
        return model
    return keras.Model(model.inputs, model.outputs[0], name=model.name)
