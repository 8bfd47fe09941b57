from __future__ import annotations

import json
import zipfile
from pathlib import Path
from typing import Any

import h5py
import keras
import numpy as np
import pytest

from fer_edge.convert.cli import main
from fer_edge.convert.keras_model import load, read_keras_file
from fer_edge.convert.safety import GRAPH_OPERATORS, LAYERS, check_keras_config
from fer_edge.convert.tensorflow import import_tensorflow
from fer_edge.engine.errors import UnsafeModel

from .tiny import SIDE, save_tiny, tiny

import_tensorflow()
import tf_keras  # noqa: E402

# A crafted file chooses its version, and with it the library that reads it.
ERAS = {"2.15.0": tf_keras, "3.9.0": keras}


def save_with_a_trap(library: Any, path: Path, trap: Path) -> None:
    """Save a model whose Lambda creates the file `trap` when it runs."""
    layers = library.layers
    image = layers.Input((SIDE, SIDE, 1))
    name = str(trap)
    sprung = layers.Lambda(lambda x: (__import__("pathlib").Path(name).touch(), x)[1])(image)
    x = layers.GlobalAveragePooling2D()(sprung)
    library.Model(image, layers.Dense(7, activation="softmax")(x)).save(path)
    # Building the model ran the layer once already.
    trap.unlink(missing_ok=True)


def test_the_trap_springs_where_nothing_is_checked(tmp_path: Path) -> None:
    """Else the tests below would prove nothing."""
    trap = tmp_path / "sprung"
    save_with_a_trap(tf_keras, tmp_path / "trap.h5", trap)
    tf_keras.models.load_model(tmp_path / "trap.h5", compile=False)
    assert trap.exists()


def harmless_archive(path: Path, version: str) -> dict[str, bytes]:
    """Members of a .keras file that has nothing to hide."""
    with zipfile.ZipFile(save_tiny(keras, path)) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    metadata = json.loads(members["metadata.json"])
    members["metadata.json"] = json.dumps({**metadata, "keras_version": version}).encode()
    return members


@pytest.mark.parametrize("version", ERAS)
@pytest.mark.parametrize("suffix", [".h5", ".hdf5", ".keras"])
def test_the_part_that_is_checked_is_the_part_that_is_loaded(
    version: str, suffix: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A file can be HDF5 and zip at once: one part must not vouch for the other."""
    trap, both = tmp_path / "sprung", tmp_path / f"both{suffix}"
    save_with_a_trap(ERAS[version], tmp_path / "trap.h5", trap)
    both.write_bytes((tmp_path / "trap.h5").read_bytes())
    with zipfile.ZipFile(both, "a") as archive:
        for name, content in harmless_archive(tmp_path / "harmless.keras", version).items():
            archive.writestr(name, content)
    assert zipfile.is_zipfile(both)
    assert h5py.is_hdf5(both)
    assert main([str(both), "-o", str(tmp_path / "o.onnx"), "--quiet"]) == 2
    assert "Lambda" in capsys.readouterr().err
    assert not trap.exists()


@pytest.mark.parametrize("version", ERAS)
def test_a_zip_in_front_of_hdf5_is_read_as_a_zip_alone(version: str, tmp_path: Path) -> None:
    """HDF5 may begin behind a user block, in which a zip has room."""
    trap, both = tmp_path / "sprung", tmp_path / "both.h5"
    save_with_a_trap(ERAS[version], tmp_path / "trap.h5", trap)
    with zipfile.ZipFile(tmp_path / "front.zip", "w") as archive:
        for name, content in harmless_archive(tmp_path / "harmless.keras", version).items():
            archive.writestr(name, content)
    front = (tmp_path / "front.zip").read_bytes()
    block = 512
    while block < len(front):
        block *= 2
    both.write_bytes(front.ljust(block, b"\0") + (tmp_path / "trap.h5").read_bytes())
    assert h5py.is_hdf5(both)
    main([str(both), "-o", str(tmp_path / "o.onnx"), "--quiet"])
    assert not trap.exists()


def test_how_a_model_was_trained_does_not_matter(tmp_path: Path) -> None:
    model = tiny(keras)
    model.compile("adam", "categorical_crossentropy", metrics=["accuracy"])
    for name in ("compiled.keras", "compiled.h5"):
        model.save(tmp_path / name)
        assert load(tmp_path / name, read_keras_file(tmp_path / name)).classes == 7


def test_only_the_outermost_training_configuration_is_passed_over() -> None:
    evil = {"class_name": "Backdoor", "config": {}}
    inner = {"class_name": "Sequential", "config": {"layers": []}, "compile_config": evil}
    outer = {"class_name": "Sequential", "config": {"layers": [inner]}}
    with pytest.raises(UnsafeModel, match="Backdoor"):
        check_keras_config(outer, Path("m.keras"))


def test_weights_outside_the_file_are_refused(tmp_path: Path) -> None:
    secret = tmp_path / "secret.bin"
    secret.write_bytes(bytes(4096))
    for name in ("link", "soft", "storage"):
        path = save_tiny(keras, tmp_path / f"{name}.h5")
        with h5py.File(path, "r+") as file:
            weights = file["model_weights"]
            match name:
                case "link":
                    weights["elsewhere"] = h5py.ExternalLink("other.h5", "/x")
                case "soft":
                    weights["elsewhere"] = h5py.SoftLink("/model_weights")
                case "storage":
                    weights.create_dataset(
                        "elsewhere", (64,), "f4", external=[(str(secret), 0, 256)]
                    )
        with pytest.raises(UnsafeModel, match=r"elsewhere.*refused"):
            read_keras_file(path)


@pytest.mark.parametrize("place", ["/", "model_weights"])
def test_a_group_in_itself_is_refused(place: str, tmp_path: Path) -> None:
    path = save_tiny(keras, tmp_path / "loop.h5")
    with h5py.File(path, "r+") as file:
        file["model_weights"]["again"] = file[place]
    with pytest.raises(UnsafeModel, match=r"again.*refused"):
        read_keras_file(path)


def test_weights_that_unpack_to_more_than_memory_are_refused(tmp_path: Path) -> None:
    path = save_tiny(keras, tmp_path / "bomb.h5")
    with h5py.File(path, "r+") as file:
        file["model_weights"].create_dataset("huge", (1 << 30,), "f4", chunks=(1 << 16,))
    assert path.stat().st_size < 1 << 20
    with pytest.raises(UnsafeModel, match="2 GiB"):
        read_keras_file(path)
    with zipfile.ZipFile(save_tiny(keras, tmp_path / "m.keras")) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    (tmp_path / "w.h5").write_bytes(members["model.weights.h5"])
    with h5py.File(tmp_path / "w.h5", "r+") as file:
        file.create_dataset("huge", (1 << 30,), "f4", chunks=(1 << 16,))
    members["model.weights.h5"] = (tmp_path / "w.h5").read_bytes()
    with zipfile.ZipFile(tmp_path / "bomb.keras", "w") as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    with pytest.raises(UnsafeModel, match="2 GiB"):
        read_keras_file(tmp_path / "bomb.keras")


def test_operators_on_the_list_exist_and_touch_nothing_outside_the_graph() -> None:
    from tensorflow.python.framework import op_def_registry

    known = {name: op_def_registry.get(name) for name in GRAPH_OPERATORS}
    assert not [name for name, definition in known.items() if definition is None]
    stateful = {name for name, definition in known.items() if definition.is_stateful}
    # Assert stops a run with a message; tensor arrays live inside one run.
    assert {n for n in stateful if not n.startswith("TensorArray")} <= {"Assert"}
    for name in ("PyFunc", "EagerPyFunc", "ReadFile", "WriteFile", "MatchingFiles", "SaveV2"):
        assert name not in GRAPH_OPERATORS


def test_layers_on_the_list_exist_in_one_of_the_two_libraries() -> None:
    known = {*dir(keras.layers), *dir(tf_keras.layers), "Model", "Sequential", "Functional"}
    # What BatchNormalization was called between TensorFlow 1.13 and 2.0.
    known |= {"BatchNormalizationV1", "BatchNormalizationV2"}
    assert known >= LAYERS
    assert not {"Lambda", "TFOpLambda", "TFSMLayer", "SlicingOpLambda", "Merge"} & LAYERS


def test_checked_weights_are_the_ones_that_are_loaded(tmp_path: Path) -> None:
    model = tiny(keras)
    model.save(tmp_path / "m.keras")
    (tmp_path / "m.keras").rename(tmp_path / "renamed.h5")
    network = load(tmp_path / "renamed.h5", read_keras_file(tmp_path / "renamed.h5"))
    faces = np.random.default_rng(0).uniform(-1, 1, (3, SIDE, SIDE, 1)).astype(np.float32)
    expected = model(faces, training=False)
    np.testing.assert_allclose(network.predict(faces), expected, atol=1e-6)


@pytest.mark.parametrize("library", [keras, tf_keras], ids=["current", "legacy"])
def test_arithmetic_between_layers_says_what_to_do(library: Any, tmp_path: Path) -> None:
    image = library.layers.Input((SIDE, SIDE, 1))
    flat = library.layers.Flatten()(image / 255 - 1)
    library.Model(image, library.layers.Dense(7)(flat)).save(tmp_path / "m.h5")
    with pytest.raises(UnsafeModel, match=r"refused; .*Rescaling.*set_weights.*--input-range"):
        read_keras_file(tmp_path / "m.h5")
