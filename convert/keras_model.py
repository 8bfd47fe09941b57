"""Keras expression models of every era, loaded without running anything they bring along."""

from __future__ import annotations

import json
import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from fer_edge.engine.errors import BackendUnavailable, BadInput

from .safety import check_keras_config
from .tensorflow import INSTALL, import_tensorflow

Floats = npt.NDArray[np.float32]
MAX_CONFIG_BYTES = 64 << 20


@dataclass(frozen=True)
class KerasFile:
    """What a Keras file says about itself.

    Attributes:
        config: the model configuration, checked against the allow-lists.
        version: of the Keras that wrote it, as `2.2.4`.
    """

    config: dict[str, Any]
    version: str

    @property
    def legacy(self) -> bool:
        """Whether Keras 2 wrote it."""
        return not self.version.startswith("3")


@dataclass(frozen=True)
class KerasNetwork:
    """A loaded network.

    Attributes:
        predict: float32 `(n, h, w, c)` to `(n, classes)`, by the original framework.
        graph_def: the same as a frozen TensorFlow graph.
        input_name, output_name: tensors of the graph.
        height, width, channels: of the input.
        classes: of the output.
        parameters: number of weights.
    """

    predict: Any
    graph_def: Any
    input_name: str
    output_name: str
    height: int
    width: int
    channels: int
    classes: int
    parameters: int


def read_keras_file(path: Path) -> KerasFile:
    """Read and check a model's configuration without Keras.

    Raises:
        BadInput: not a Keras model.
        UnsafeModel: see `check_keras_config`.
    """
    read = _read_archive if zipfile.is_zipfile(path) else _read_hdf5
    text, version = read(path)
    try:
        config = json.loads(text)
    except (ValueError, TypeError) as error:
        raise BadInput(f"{path}: its model configuration is no JSON") from error
    check_keras_config(config, path)
    return KerasFile(config, version)


def _read_archive(path: Path) -> tuple[str, str]:
    try:
        with zipfile.ZipFile(path) as archive:
            if archive.getinfo("config.json").file_size > MAX_CONFIG_BYTES:
                raise BadInput(f"{path}: its configuration is larger than 64 MiB; refused")
            config = archive.read("config.json").decode()
            metadata = json.loads(archive.read("metadata.json"))
            return config, str(metadata["keras_version"])
    except (KeyError, ValueError, TypeError, zipfile.BadZipFile, OSError) as error:
        if isinstance(error, BadInput):
            raise
        raise BadInput(f"{path}: a zip file, but not a .keras model ({error})") from error


def _read_hdf5(path: Path) -> tuple[str, str]:
    try:
        import h5py
    except ImportError as error:
        raise BackendUnavailable(f"h5py is not installed: {INSTALL}") from error
    try:
        with h5py.File(path, "r") as file:
            config = file.attrs.get("model_config")
            written = file.attrs.get("keras_version", "2.0.0")
            weights_only = "layer_names" in file.attrs
    except (OSError, KeyError, RuntimeError, ValueError) as error:
        raise BadInput(f"{path}: not an HDF5 file, or cut off; expected a Keras model") from error
    if config is None:
        hint = "holds weights only; save the whole model" if weights_only else "is no Keras model"
        raise BadInput(f"{path}: an HDF5 file that {hint} with model.save()")
    return _text(config), _text(written)


def _text(value: Any) -> str:
    return value.decode() if isinstance(value, bytes) else str(value)


def load(path: Path, file: KerasFile, input_size: tuple[int, int] | None = None) -> KerasNetwork:
    """Load a checked file with the Keras of its era.

    Args:
        path: the file.
        file: of `read_keras_file`.
        input_size: (height, width) for models that leave it open.

    Raises:
        BadInput: Keras cannot load it, or it is no classifier of one picture.
    """
    tf = import_tensorflow()
    model = _load_with_keras(path, file)
    if len(model.inputs) != 1 or len(model.outputs) != 1:
        raise BadInput(
            f"{path}: {len(model.inputs)} inputs, {len(model.outputs)} outputs; expected one each"
        )
    shape = tuple(model.inputs[0].shape)
    if len(shape) != 4 or shape[3] not in (1, 3):
        raise BadInput(f"{path}: input shape {shape}, expected (n, height, width, 1 or 3)")
    height, width = shape[1:3]
    if height is None or width is None:
        if input_size is None:
            raise BadInput(f"{path}: leaves its input size open; give --input-size HEIGHTxWIDTH")
        height, width = input_size
    classes = tuple(model.outputs[0].shape)
    if not classes or classes[-1] is None or classes[-1] < 2:
        raise BadInput(f"{path}: output shape {classes}, expected (n, classes)")

    @tf.function(input_signature=[tf.TensorSpec((None, height, width, shape[3]), tf.float32)])  # type: ignore[untyped-decorator]
    def network(image: Any) -> Any:
        return tf.reshape(tf.cast(model(image, training=False), tf.float32), (-1, classes[-1]))

    graph_def, input_name, output_name = _freeze(network.get_concrete_function(), path)
    return KerasNetwork(
        predict=lambda faces: network(tf.constant(faces)).numpy(),
        graph_def=graph_def,
        input_name=input_name,
        output_name=output_name,
        height=int(height),
        width=int(width),
        channels=int(shape[3]),
        classes=int(classes[-1]),
        parameters=int(model.count_params()),
    )


def _load_with_keras(path: Path, file: KerasFile) -> Any:
    try:
        if file.legacy:
            return _load_legacy(path)
        import keras

        if path.suffix not in (".keras", ".h5", ".hdf5"):
            raise BadInput(f"{path}: rename it to end in .keras, .h5 or .hdf5")
        return keras.saving.load_model(path, compile=False, safe_mode=True)
    except ImportError as error:
        raise BackendUnavailable(f"Keras is not installed: {INSTALL}") from error
    except BadInput:
        raise
    except Exception as error:  # Keras lets errors of every kind through
        reason = str(error).strip().splitlines()[0][:200]
        raise BadInput(
            f"{path}: Keras {file.version} model that cannot be loaded ({reason})"
        ) from error


def _load_legacy(path: Path) -> Any:
    import tf_keras

    tf = import_tensorflow()
    # Functions and classes that models of that era name without bringing them.
    known = {
        "relu6": tf.nn.relu6,
        "swish": tf.nn.silu,
        "hard_swish": tf_keras.activations.get("swish"),
        "DepthwiseConv2D": tf_keras.layers.DepthwiseConv2D,
        "BatchNormalizationV1": tf_keras.layers.BatchNormalization,
        "BatchNormalizationV2": tf_keras.layers.BatchNormalization,
    }
    del known["hard_swish"]
    with tf_keras.utils.custom_object_scope(known):
        return tf_keras.models.load_model(path, compile=False)


def _freeze(function: Any, path: Path) -> tuple[Any, str, str]:
    """(GraphDef without variables, input tensor, output tensor) of a concrete function."""
    from tensorflow.python.framework.convert_to_constants import (
        convert_variables_to_constants_v2,
    )

    tf = import_tensorflow()
    try:
        frozen = convert_variables_to_constants_v2(function, lower_control_flow=False)
    except (tf.errors.OpError, ValueError) as error:
        reason = str(error).strip().splitlines()[0]
        raise BadInput(f"{path}: cannot be frozen ({reason})") from error
    return frozen.graph.as_graph_def(), frozen.inputs[0].name, frozen.outputs[0].name
