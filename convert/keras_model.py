"""Keras expression models of every era, loaded without running anything they bring along."""

from __future__ import annotations

import io
import json
import tempfile
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from fer_edge.engine.certainty import Certainty
from fer_edge.engine.errors import BackendUnavailable, BadInput, UnsafeModel, first_line

from .endings import last_activation
from .inspect import HDF5_SIGNATURE, MAX_INPUT_BYTES
from .safety import check_keras_config, first_layer
from .tensorflow import INSTALL, import_tensorflow

Floats = npt.NDArray[np.float32]
MAX_CONFIG_BYTES = 64 << 20
# What fer-train puts into a .keras archive beside Keras' own members.
FACTS_MEMBER = "fer_edge.json"
MAX_FACTS_BYTES = 1 << 20
CHANNELS_LAST = "; save it with data_format='channels_last'"
# Outputs of a network that fer-train gave a second head.
PROBABILITIES, LABEL_PROBABILITIES = "probabilities", "label_probabilities"


@dataclass(frozen=True)
class KerasFile:
    """What a Keras file says about itself.

    Attributes:
        config: the model configuration, checked against the allow-lists.
        version: of the Keras that wrote it, as `2.2.4`.
        suffix: of the container that was checked, by which Keras chooses its reader.
        labels: names of the classes, where fer-train wrote the file.
        certainty: what a face has to be like for its answer to be told, where fer-train said it.
    """

    config: dict[str, Any]
    version: str
    suffix: Literal[".h5", ".keras"]
    labels: tuple[str, ...] | None = None
    certainty: Certainty = field(default_factory=Certainty)

    @property
    def legacy(self) -> bool:
        """Whether Keras 2 wrote it."""
        return not self.version.startswith("3")

    @property
    def scales_pixels(self) -> bool:
        """Whether the network brings 0-255 into its own range: its first layer is a Rescaling.

        A normalisation on the input does not say it: it may follow a scaling in the
        program that fed it. Nor does a Rescaling farther back.
        """
        return first_layer(self.config) == "Rescaling"


@dataclass(frozen=True)
class KerasNetwork:
    """A loaded network.

    Attributes:
        predict: float32 `(n, h, w, c)` to `(n, classes)`, by the original framework.
        graph_def: the same as a frozen TensorFlow graph.
        input_name: tensor of the graph.
        output_names: the same; of `(n, classes)` each, a second one being that of the label.
        height, width, channels: of the input.
        classes: of the output.
        parameters: number of weights.
        activation: that the output comes from; None for none known.
    """

    predict: Any
    graph_def: Any
    input_name: str
    output_names: tuple[str, ...]
    height: int
    width: int
    channels: int
    classes: int
    parameters: int
    activation: str | None = None


def read_keras_file(path: Path) -> KerasFile:
    """Read and check a model's configuration without Keras.

    Raises:
        BadInput: not a Keras model.
        UnsafeModel: see `check_keras_config`.
    """
    with path.open("rb") as opened:
        hdf5 = opened.read(len(HDF5_SIGNATURE)) == HDF5_SIGNATURE
    text, version, own = (*_read_hdf5(path), {}) if hdf5 else _read_archive(path)
    try:
        config = json.loads(text)
    except (ValueError, TypeError, RecursionError) as error:
        raise BadInput(f"{path}: its model configuration is no JSON") from error
    check_keras_config(config, path)
    labels, certainty = _labels(own, path), _certainty(own, path)
    return KerasFile(config, version, ".h5" if hdf5 else ".keras", labels, certainty)


def _read_archive(path: Path) -> tuple[str, str, dict[str, Any]]:
    try:
        with zipfile.ZipFile(path) as archive:
            if sum(member.file_size for member in archive.infolist()) > MAX_INPUT_BYTES:
                raise BadInput(f"{path}: unpacks to more than 2 GiB; refused")
            if archive.getinfo("config.json").file_size > MAX_CONFIG_BYTES:
                raise BadInput(f"{path}: its configuration is larger than 64 MiB; refused")
            config = archive.read("config.json").decode()
            metadata = json.loads(archive.read("metadata.json"))
            with _open_hdf5(io.BytesIO(archive.read("model.weights.h5"))) as weights:
                _check_datasets(weights, path)
            return config, str(metadata["keras_version"]), _own_facts(archive, path)
    except (BadInput, BackendUnavailable):
        raise
    # zipfile and zlib raise errors of many kinds on damaged archives.
    except Exception as error:
        raise BadInput(f"{path}: a zip file, but not a .keras model, or cut off") from error


def _own_facts(archive: zipfile.ZipFile, path: Path) -> dict[str, Any]:
    """What fer-train added, if it wrote the file."""
    if FACTS_MEMBER not in archive.namelist():
        return {}
    if archive.getinfo(FACTS_MEMBER).file_size > MAX_FACTS_BYTES:
        raise BadInput(f"{path}: its labels are larger than 1 MiB; refused")
    facts = json.loads(archive.read(FACTS_MEMBER))
    if not isinstance(facts, dict):
        raise BadInput(f"{path}: its {FACTS_MEMBER} is no JSON object")
    return facts


def _labels(own: dict[str, Any], path: Path) -> tuple[str, ...] | None:
    labels = own.get("labels")
    if labels is None:
        return None
    if not isinstance(labels, list) or not all(isinstance(label, str) for label in labels):
        raise BadInput(f"{path}: its labels are no list of names")
    return tuple(labels)


def _certainty(own: dict[str, Any], path: Path) -> Certainty:
    try:
        return Certainty(**{name: float(value) for name, value in own.get("certainty", {}).items()})
    except (BadInput, AttributeError, TypeError, ValueError) as error:
        raise BadInput(f"{path}: what it says of its certainty is of no use ({error})") from error


def _read_hdf5(path: Path) -> tuple[str, str]:
    try:
        with _open_hdf5(path) as file:
            _check_datasets(file, path)
            config = file.attrs.get("model_config")
            written = file.attrs.get("keras_version", "2.0.0")
            # Of Keras 2, and of Keras 3.
            weights_only = "layer_names" in file.attrs or "layers" in file or "vars" in file
    except UnsafeModel:
        raise
    except (OSError, KeyError, RuntimeError, ValueError) as error:
        raise BadInput(f"{path}: not an HDF5 file, or cut off; expected a Keras model") from error
    if config is None:
        what = "holds weights only" if weights_only else "an HDF5 file, but no Keras model"
        raise BadInput(f"{path}: {what}; save the whole network with model.save('model.keras')")
    return _text(config), _text(written)


def _open_hdf5(source: Any) -> Any:
    try:
        import h5py
    except ImportError as error:
        raise BackendUnavailable(f"h5py is not installed: {INSTALL}") from error
    return h5py.File(source, "r")


def _check_datasets(file: Any, path: Path) -> None:
    """Refuse weights that lie in other files, or that unpack to more than a file may hold."""
    import h5py

    total = 0
    pending = [file]
    seen = {h5py.h5o.get_info(file["/"].id).addr}
    while pending:
        group = pending.pop()
        for name in group:
            link = group.get(name, getlink=True)
            if not isinstance(link, h5py.HardLink):
                raise UnsafeModel(f"{path}: {name!r} is a link to somewhere else; refused")
            item = group[name]
            if isinstance(item, h5py.Group):
                place = h5py.h5o.get_info(item.id).addr
                # A group in itself would be walked for ever.
                if place in seen:
                    raise UnsafeModel(f"{path}: {name!r} is a group that lies elsewhere; refused")
                seen.add(place)
                pending.append(item)
                continue
            if item.external or item.is_virtual:
                raise UnsafeModel(f"{path}: weights {name!r} lie in another file; refused")
            total += item.nbytes
            if total > MAX_INPUT_BYTES:
                raise UnsafeModel(f"{path}: weights unpack to more than 2 GiB; refused")


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
    model = load_model(path, file)
    shape = input_shape(model, path)
    height, width, channels = shape[1:]
    if height is None or width is None:
        if input_size is None:
            raise BadInput(f"{path}: leaves its input size open; give --input-size HEIGHTxWIDTH")
        height, width = input_size
    classes, *others = _shapes(model.compute_output_shape((1, height, width, shape[3])))
    if any(other != classes for other in others):
        raise BadInput(f"{path}: heads of {classes} and {others[0]}; expected the same classes")
    count = classes[-1] if len(classes) > 1 else None
    if count is None or count < 2 or set(classes[1:-1]) - {1}:
        raise BadInput(f"{path}: output shape {(None, *classes[1:])}, expected (n, classes)")
    if "float16" in (kinds := _compute_types(model)) or "bfloat16" in kinds:
        raise BadInput(
            f"{path}: computes in {' and '.join(sorted(kinds))}; save it under the float32 policy "
            "and let --precision choose"
        )

    @tf.function(input_signature=[tf.TensorSpec((None, height, width, shape[3]), tf.float32)])  # type: ignore[untyped-decorator]
    def network(image: Any) -> Any:
        heads = heads_of(model(image, training=False))
        return [tf.reshape(tf.cast(head, tf.float32), (-1, count)) for head in heads]

    def predict(faces: Floats) -> Any:
        try:
            return network(tf.constant(faces))[0].numpy()
        except (tf.errors.OpError, ValueError) as error:
            raise BadInput(f"{path}: does not run on the CPU{CHANNELS_LAST}") from error

    graph_def, input_name, output_names = _freeze(network.get_concrete_function(), path)
    return KerasNetwork(
        predict=predict,
        graph_def=graph_def,
        input_name=input_name,
        output_names=output_names,
        height=int(height),
        width=int(width),
        channels=int(channels or 0),
        classes=count,
        parameters=int(model.count_params()),
        activation=last_activation(heads_of(model.outputs)[0]),
    )


def input_shape(model: Any, path: Path) -> tuple[int | None, ...]:
    """Shape `(n, height, width, channels)` of a loaded network's one picture.

    Raises:
        BadInput: no classifier of one picture.
    """
    # Keras 3 has no attribute where a network was never built, Keras 2 has None there.
    inputs = getattr(model, "inputs", None)
    if not inputs:
        raise BadInput(
            f"{path}: was saved before it knew the size of its input; call "
            "model.build((None, HEIGHT, WIDTH, CHANNELS)) and save it again"
        )
    if len(inputs) != 1 or not (len(model.outputs) == 1 or has_label_head(model)):
        raise BadInput(
            f"{path}: {len(inputs)} inputs, {len(model.outputs)} outputs; expected one each"
        )
    shape = tuple(inputs[0].shape)
    if len(shape) != 4 or shape[3] not in (1, 3):
        hint = CHANNELS_LAST if _channels_first(shape) else ""
        raise BadInput(f"{path}: input shape {shape}, expected (n, height, width, 1 or 3){hint}")
    return shape


def heads_of(found: Any) -> list[Any]:
    """What a network gives, as a list: its outputs may stand in one, in a dictionary or alone."""
    if isinstance(found, dict):
        return list(found.values())
    return list(found) if isinstance(found, list | tuple) else [found]


def _shapes(found: Any) -> list[tuple[int | None, ...]]:
    """The same of shapes, of which one alone is a tuple, too."""
    if not isinstance(found, dict) and all(side is None or isinstance(side, int) for side in found):
        found = [found]
    return [tuple(shape) for shape in heads_of(found)]


def has_label_head(model: Any) -> bool:
    """Whether a Keras model has the two outputs of fer-train: what people say, and the label."""
    names = list(getattr(model, "output_names", []))
    return len(model.outputs) == 2 and names == [PROBABILITIES, LABEL_PROBABILITIES]


def load_model(path: Path, file: KerasFile, legacy: bool | None = None) -> Any:
    """Load a checked file as a Keras model.

    Args:
        path: the file.
        file: of `read_keras_file`.
        legacy: whether to use tf_keras; None where Keras 2 wrote it.

    Raises:
        BadInput: Keras cannot load it.
        BackendUnavailable: the Keras of its era is not installed.
    """
    try:
        if file.legacy if legacy is None else legacy:
            with _named_by_content(path, file) as link:
                return _load_legacy(link)
        import keras

        with _named_by_content(path, file) as link:
            return keras.saving.load_model(
                link, custom_objects=_renamed_options(keras), compile=False, safe_mode=True
            )
    except ImportError as error:
        raise BackendUnavailable(f"Keras is not installed: {INSTALL}") from error
    except Exception as error:  # Keras lets errors of every kind through
        reason = first_line(error)[:200]
        raise BadInput(
            f"{path}: Keras {file.version} model that cannot be loaded ({reason})"
        ) from error


@contextmanager
def _named_by_content(path: Path, file: KerasFile) -> Iterator[Path]:
    """A name for the file under which Keras reads the very part that was checked.

    Keras goes by the name's ending. A file can be HDF5 and zip at once: by its own name,
    it could have one part checked and the other one run.
    """
    with tempfile.TemporaryDirectory(prefix="fer-convert-") as folder:
        link = Path(folder, f"model{file.suffix}")
        link.symlink_to(path.resolve())
        yield link


def _compute_types(model: Any) -> set[str]:
    """Types of the layers' arithmetic, as `float32`."""
    layers = model._flatten_layers(include_self=False)
    return {str(layer.compute_dtype) for layer in layers if layer.weights}


def _channels_first(shape: tuple[int | None, ...]) -> bool:
    return len(shape) == 4 and shape[1] in (1, 3)


def _renamed_options(keras: Any) -> dict[str, Any]:
    """Readers for layers of Keras 2 whose options Keras 3 has dropped, by class name."""

    class DepthwiseConv2D:
        @classmethod
        def from_config(cls, config: dict[str, Any]) -> Any:
            # It could only ever be 1.
            return keras.layers.DepthwiseConv2D.from_config(
                {key: value for key, value in config.items() if key != "groups"}
            )

    return {"DepthwiseConv2D": DepthwiseConv2D}


def _load_legacy(path: Path) -> Any:
    import tf_keras

    tf = import_tensorflow()
    # Functions and classes that models of that era name without bringing them.
    known = {
        "relu6": tf.nn.relu6,
        "swish": tf.nn.silu,
        "DepthwiseConv2D": tf_keras.layers.DepthwiseConv2D,
        "BatchNormalizationV1": tf_keras.layers.BatchNormalization,
        "BatchNormalizationV2": tf_keras.layers.BatchNormalization,
    }
    with tf_keras.utils.custom_object_scope(known):
        return tf_keras.models.load_model(path, compile=False)


def _freeze(function: Any, path: Path) -> tuple[Any, str, tuple[str, ...]]:
    """(GraphDef without variables, input tensor, output tensors) of a concrete function."""
    from tensorflow.python.framework.convert_to_constants import (
        convert_variables_to_constants_v2,
    )

    tf = import_tensorflow()
    try:
        frozen = convert_variables_to_constants_v2(function, lower_control_flow=False)
    except (tf.errors.OpError, ValueError) as error:
        reason = first_line(error)
        raise BadInput(f"{path}: cannot be frozen ({reason})") from error
    outputs = tuple(output.name for output in frozen.outputs)
    return frozen.graph.as_graph_def(), frozen.inputs[0].name, outputs
