"""Weights to begin with, by name of the layer."""

from __future__ import annotations

from collections.abc import Mapping
from importlib.resources import files
from pathlib import Path
from typing import Any

import keras
import numpy as np
import numpy.typing as npt

from fer_edge.engine.errors import BadInput, InputNotFound

from ..npz import open_npz

# Names that a configuration may use in place of a path.
SHIPPED = {"face_recognition": "face_recognition.npz"}
MAX_ARRAYS = 4096


def find_initial_weights(origin: str) -> Path:
    """The file of initial weights, see `load_initial_weights`.

    Raises:
        InputNotFound: no such file.
    """
    path = Path(str(files(__package__) / SHIPPED[origin])) if origin in SHIPPED else Path(origin)
    if not path.is_file():
        known = ", ".join(SHIPPED)
        raise InputNotFound(
            f"{path}: no such initial weights; shipped with fer-edge are {known}, and those of "
            f"mobilenet are made by python -m {__package__}.face_attributes"
        )
    return path


def load_initial_weights(network: Any, origin: str) -> int:
    """Give a network's layers the weights of the same name, and return how many arrays fitted.

    Args:
        network: a Keras model. Layers that the file does not name, as a new head, keep theirs.
        origin: a name of `SHIPPED`, or an .npz of arrays named `layer/variable`.

    Raises:
        InputNotFound: no such file.
        BadInput: not such an archive, an array of another shape, or none that fits.
    """
    path = find_initial_weights(origin)
    variables = named_variables(network)
    with open_npz(path, "not an .npz of weights ({why})") as archive:
        if len(archive.files) > MAX_ARRAYS:
            raise BadInput(f"{path}: {len(archive.files)} arrays; expected a layer's each")
        arrays = {name: archive[name] for name in archive.files if name in variables}
    if not arrays:
        raise BadInput(f"{path}: names no layer of {network.name}")
    assign_weights(network, arrays, str(path))
    return len(arrays)


def take_weights(network: Any, earlier: Any) -> None:
    """Give a network's layers the weights of another network's layers of the same name.

    A head for the label begins as the other one where the earlier network has none.

    Raises:
        BadInput: a weight of another shape.
    """
    known = named_variables(network)
    arrays = {
        name: np.asarray(keras.ops.convert_to_numpy(variable))
        for name, variable in named_variables(earlier).items()
        if name in known
    }
    for variable in ("kernel", "bias"):
        label, other = f"label_logits/{variable}", f"logits/{variable}"
        if label in known and label not in arrays and other in arrays:
            arrays[label] = arrays[other]
    assign_weights(network, arrays, "the previous run")


def assign_weights(network: Any, arrays: Mapping[str, npt.NDArray[Any]], origin: str) -> None:
    """Give variables, by their names of `named_variables`, these values.

    Raises:
        BadInput: an array of another shape; `origin` says whose.
    """
    variables = named_variables(network)
    for name, array in arrays.items():
        variable = variables[name]
        if array.shape != tuple(variable.shape):
            raise BadInput(
                f"{origin}: {name} is {array.shape}, {network.name} has {variable.shape}"
            )
        variable.assign(array.astype(np.float32))


def named_variables(network: Any) -> dict[str, Any]:
    """Weights of a flat Keras model by `layer/variable`."""
    return {
        f"{layer.name}/{weight.path.split('/')[-1]}": weight
        for layer in network.layers
        for weight in layer.weights
    }
