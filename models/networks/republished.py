"""Weights that others republished for TensorFlow.js, and their folded normalisations."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import keras
import numpy as np
import numpy.typing as npt

from fer_edge.engine.errors import BadInput, FerError, InputNotFound
from fer_edge.engine.outputs import PendingFile

from ..data import load_dataset
from .initial import named_variables

Floats = npt.NDArray[np.float32]
Folded = Mapping[str, tuple[Floats, Floats, Floats]]
TYPES = {"float32": "<f4", "int32": "<i4", "uint8": "u1"}


class Arrays(dict[str, Floats]):
    """Arrays of a republished network by name; asking for another is bad input.

    Args:
        origin: the file they are of.
        arrays: by name.
    """

    def __init__(self, origin: Path, arrays: Mapping[str, Floats]) -> None:
        super().__init__(arrays)
        self._origin = origin

    def __missing__(self, name: str) -> Floats:
        raise BadInput(f"{self._origin}: another network than expected, it has no array {name!r}")


def read_tfjs(manifest: Path) -> Arrays:
    """Arrays of a TensorFlow.js model by name, dequantised.

    Args:
        manifest: its JSON, of weights alone or of a graph and weights; the binary files that
            it names lie beside it.

    Raises:
        InputNotFound: it or a file that it names is missing.
        BadInput: something else, or fewer bytes than it tells of.
    """
    try:
        whole = json.loads(manifest.read_text())
        (group,) = whole["weightsManifest"] if isinstance(whole, dict) else whole
        data = b"".join((manifest.parent / Path(name).name).read_bytes() for name in group["paths"])
        return Arrays(manifest, _arrays(group["weights"], data))
    except FileNotFoundError as error:
        raise InputNotFound(f"{error.filename}: no such file of a TensorFlow.js model") from error
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise BadInput(f"{manifest}: no weights of a TensorFlow.js model ({error})") from error


def _arrays(entries: Sequence[Mapping[str, Any]], data: bytes) -> dict[str, Floats]:
    arrays, at = {}, 0
    for entry in entries:
        count, quantised = int(np.prod(entry["shape"])), entry.get("quantization")
        kind = np.dtype(TYPES[quantised["dtype"] if quantised else entry["dtype"]])
        values = np.frombuffer(data, kind, count, at).astype(np.float32)
        if quantised:
            values = values * np.float32(quantised["scale"]) + np.float32(quantised["min"])
        arrays[entry["name"]] = values.reshape(entry["shape"])
        at += count * kind.itemsize
    return arrays


def begin_with(network: Any, folded: Folded, faces: npt.NDArray[np.uint8], batch_size: int) -> None:
    """Give layers kernels, and the normalisations behind them factors and offsets.

    The normalisations expect the statistics of faces `(n, 48, 48)`, so that training begins
    where the republished network stands.

    Args:
        network: a Keras model with a layer and a `{layer}_norm` for each name.
        folded: (kernel, factor, offset) by the name of the layer; the latter two by channel.
        faces: gray, for statistics.
        batch_size: faces at a time.
    """
    for name, (kernel, scale, offset) in folded.items():
        network.get_layer(name).kernel.assign(kernel)
        _normalise(network, name, scale, offset, np.zeros_like(scale), np.ones_like(scale))
    probe = keras.Model(network.input, [network.get_layer(name).output for name in folded])
    maps = probe.predict(faces[..., None].astype(np.float32), batch_size=batch_size, verbose=0)
    for (name, (_, scale, offset)), seen in zip(folded.items(), maps, strict=True):
        _normalise(network, name, scale, offset, seen.mean((0, 1, 2)), seen.var((0, 1, 2)))


def _normalise(
    network: Any, name: str, scale: Floats, offset: Floats, mean: Floats, variance: Floats
) -> None:
    """Make the normalisation behind `name` compute `scale * x + offset`."""
    norm = network.get_layer(f"{name}_norm")
    deviation = np.sqrt(variance + norm.epsilon)
    norm.gamma.assign(scale * deviation)
    norm.beta.assign(offset + scale * mean)
    norm.moving_mean.assign(mean)
    norm.moving_variance.assign(variance)


def save_first_weights(network: Any, path: Path) -> None:
    """Write all but the head of a network as `load_initial_weights` takes it, in float16.

    Raises:
        OutputNotWritable: it cannot be written.
    """
    variables = {name: np.asarray(value) for name, value in named_variables(network).items()}
    half = {k: v.astype(np.float16) for k, v in variables.items() if not k.startswith("logits")}
    with PendingFile(path) as pending, pending.writing(), pending.open("wb") as file:
        np.savez_compressed(file, **half)  # type: ignore[arg-type]


def make_file(
    parser: argparse.ArgumentParser,
    first_weights: Callable[[Arrays, npt.NDArray[np.uint8], argparse.Namespace], Any],
    count: int,
) -> int:
    """The command line of what makes a file of first weights; returns the exit status.

    Args:
        parser: with further options.
        first_weights: makes the network of the republished arrays, gray faces `(n, 48, 48)` and
            the options.
        count: of FER2013's Training faces that it needs.
    """
    parser.add_argument("manifest", type=Path, help="a .json; its binary files lie beside it")
    parser.add_argument("fer2013", type=Path, help="for statistics: fer2013.csv, or an .npz of it")
    parser.add_argument("out", type=Path, help="an .npz")
    args = parser.parse_args()
    try:
        faces = load_dataset(args.fer2013).splits["Training"].images[:count]
        save_first_weights(first_weights(read_tfjs(args.manifest), faces, args), args.out)
        return 0
    except FerError as error:
        print(f"error: {' '.join(str(error).split())}", file=sys.stderr)
        return 2
