from __future__ import annotations

from pathlib import Path

import h5py
import keras
import numpy as np
import onnx
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from onnx import TensorProto, helper

from fer_edge.convert.frozen_ssd import read_graph, understand
from fer_edge.convert.inspect import identify
from fer_edge.convert.keras_model import read_keras_file
from fer_edge.convert.onnx_detectors.reading import read_onnx
from fer_edge.convert.tensorflow import import_tensorflow
from fer_edge.engine.errors import BadInput, FerError, InputNotFound

from .ssd_graph import Builder, Recipe
from .tiny import save_tiny, tiny

import_tensorflow()
import tf_keras  # noqa: E402


@pytest.mark.parametrize("suffix", [".keras", ".h5", ".pb", ""])
def test_a_file_is_known_by_its_content(suffix: str, tmp_path: Path) -> None:
    save_tiny(keras, tmp_path / "a.keras").rename(tmp_path / f"archive{suffix}")
    save_tiny(keras, tmp_path / "a.h5").rename(tmp_path / f"hdf5{suffix}")
    (tmp_path / f"graph{suffix}").write_bytes(Builder(Recipe()).build().SerializeToString())
    assert identify(tmp_path / f"archive{suffix}") == "keras"
    assert identify(tmp_path / f"hdf5{suffix}") == "keras"
    assert identify(tmp_path / f"graph{suffix}") == "frozen_graph"


def test_an_onnx_file_of_anyone_is_told_apart_from_a_graph(tmp_path: Path) -> None:
    value = helper.make_tensor_value_info("x", TensorProto.FLOAT, [1])
    output = helper.make_tensor_value_info("y", TensorProto.FLOAT, [1])
    graph = helper.make_graph([helper.make_node("Relu", ["x"], ["y"])], "g", [value], [output])
    onnx.save(helper.make_model(graph), tmp_path / "m.pb")
    assert identify(tmp_path / "m.pb") == "onnx_detector"


def test_nothing_and_folders_are_named(tmp_path: Path) -> None:
    with pytest.raises(InputNotFound):
        identify(tmp_path / "none.pb")
    with pytest.raises(BadInput, match="folder"):
        identify(tmp_path)
    (tmp_path / "empty.pb").touch()
    with pytest.raises(BadInput, match="0 bytes"):
        identify(tmp_path / "empty.pb")


def test_files_that_are_no_models_say_what_they_are(tmp_path: Path) -> None:
    (tmp_path / "lfs.pb").write_text("version https://git-lfs.github.com/spec/v1\noid sha256:0\n")
    with pytest.raises(BadInput, match=r"lfs\.pb: a pointer of Git LFS.*git lfs pull"):
        identify(tmp_path / "lfs.pb")
    keras_2 = tiny(tf_keras)
    keras_2.save(tmp_path / "saved", save_format="tf")
    for path in (tmp_path / "saved", tmp_path / "saved" / "saved_model.pb"):
        with pytest.raises(BadInput, match=r"a SavedModel.*frozen_inference_graph\.pb.*\.save\("):
            identify(path)


def test_weights_alone_are_told_from_a_network(tmp_path: Path) -> None:
    tiny(keras).save_weights(tmp_path / "three.weights.h5")
    tiny(tf_keras).save_weights(tmp_path / "two.h5")
    h5py.File(tmp_path / "empty.h5", "w").close()
    for name in ("three.weights.h5", "two.h5"):
        with pytest.raises(BadInput, match=r"holds weights only.*model\.save"):
            read_keras_file(tmp_path / name)
    with pytest.raises(BadInput, match="an HDF5 file, but no Keras model"):
        read_keras_file(tmp_path / "empty.h5")


READERS = {"keras": read_keras_file, "frozen_graph": read_graph, "onnx_detector": read_onnx}
BEGINNINGS = [b"", b"\x0a", b"\x12", b"\x08\x08", b"\x89HDF\r\n\x1a\n", b"PK\x03\x04"]


@settings(max_examples=200, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(beginning=st.sampled_from(BEGINNINGS), rest=st.binary(max_size=200))
def test_no_bytes_break_the_reading(beginning: bytes, rest: bytes, tmp_path: Path) -> None:
    path = tmp_path / "bytes"
    path.write_bytes(beginning + rest)
    try:
        read = READERS[identify(path)]
        read(path)
    except FerError as error:
        assert str(path) in str(error)  # noqa: PT017 - reading may also succeed


def refused(path: Path) -> bool:
    try:
        understand(read_graph(path), path)
    except FerError as error:
        assert str(path) in str(error)  # noqa: PT017
        return True
    return False


def test_a_graph_cut_off_anywhere_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "cut.pb"
    whole = Builder(Recipe()).build().SerializeToString()
    path.write_bytes(whole)
    assert not refused(path)
    for share in np.linspace(0.01, 0.99, 15):
        path.write_bytes(whole[: int(len(whole) * share)])
        assert refused(path), share


def test_a_graph_that_lacks_any_one_node_is_refused_or_understood_alike(tmp_path: Path) -> None:
    path = tmp_path / "gap.pb"
    graph_def = Builder(Recipe()).build()
    count = len(graph_def.node)
    for index in np.random.default_rng(0).choice(count, 25, replace=False):
        damaged = type(graph_def)()
        damaged.CopyFrom(graph_def)
        del damaged.node[int(index)]
        path.write_bytes(damaged.SerializeToString())
        refused(path)


@pytest.mark.parametrize("suffix", [".keras", ".h5"])
def test_a_keras_file_cut_off_anywhere_is_refused(suffix: str, tmp_path: Path) -> None:
    whole = save_tiny(keras, tmp_path / f"m{suffix}").read_bytes()
    path = tmp_path / f"cut{suffix}"
    for share in np.linspace(0.01, 0.95, 15):
        path.write_bytes(whole[: int(len(whole) * share)])
        with pytest.raises(FerError, match="cut"):
            read_keras_file(path)
