from __future__ import annotations

from pathlib import Path
from types import ModuleType

import keras
import numpy as np
import onnx
import pytest

from fer_edge.convert.conversion import Conversion, Options, write
from fer_edge.convert.expression import convert_expression
from fer_edge.convert.report import make_step
from fer_edge.convert.tensorflow import import_tensorflow
from fer_edge.engine.backends import open_backend
from fer_edge.engine.classifier import ExpressionClassifier
from fer_edge.engine.errors import BadInput
from fer_edge.engine.whole_picture import FACE_FRAME

from .tiny import SIDE, save_tiny, tiny

import_tensorflow()
import tf_keras  # noqa: E402

ERAS = [tf_keras, keras]


def convert(source: Path, options: Options | None = None) -> Conversion:
    conversion = convert_expression(
        source, options or Options(order="fer2013"), make_step(quiet=True)
    )
    write(conversion, source.with_suffix(".onnx"))
    return conversion


def classify(path: Path, pixels: np.ndarray) -> np.ndarray:
    """What the runtime answers for a BGR uint8 face that fills the whole picture."""
    with open_backend(path, "onnxruntime") as backend:
        box = np.array([[0, 0, *pixels.shape[:2]]], np.float32)
        return ExpressionClassifier(backend, face_frame=FACE_FRAME)(pixels, box)


def input_norm(library: ModuleType) -> list[object]:
    """A batch normalisation on the input, as if trained on pixels scaled by the program."""
    weights = [np.array([v], np.float32) for v in (1.3, 0.2, 0.1, 2.0)]
    layer = library.layers.BatchNormalization()
    layer.build((None, SIDE, SIDE, 1))
    layer.set_weights(weights)
    return [layer]


@pytest.mark.parametrize("library", ERAS, ids=["legacy", "current"])
def test_a_normalisation_on_the_input_is_no_scaling_of_pixels(
    library: ModuleType, tmp_path: Path
) -> None:
    path = save_tiny(library, tmp_path / "m.keras", first=input_norm(library))
    conversion = convert(path)
    assert any("--input-range" in note for note in conversion.notes)
    rng = np.random.default_rng(0)
    gray = rng.integers(0, 256, (SIDE, SIDE, 1), np.uint8)
    found = classify(path.with_suffix(".onnx"), gray.repeat(3, axis=2))
    model = tiny(library, first=input_norm(library))
    scaled = gray[None].astype(np.float32) / 127.5 - 1
    np.testing.assert_allclose(found, model(scaled, training=False), atol=1e-4)


@pytest.mark.parametrize("library", ERAS, ids=["legacy", "current"])
@pytest.mark.parametrize("channels", [1, 3])
def test_a_network_that_scales_itself_gets_pixels(
    library: ModuleType, channels: int, tmp_path: Path
) -> None:
    first = [library.layers.Rescaling(1 / 255, offset=-0.5)]
    path = save_tiny(library, tmp_path / "m.keras", first=first, channels=channels)
    conversion = convert(path)
    assert not any("how it wants its pixels" in note for note in conversion.notes)
    assert conversion.facts.input.mean == pytest.approx((127.5,) * channels, rel=1e-5)
    pixels = np.random.default_rng(0).integers(0, 256, (SIDE, SIDE, 3), np.uint8)
    pixels = pixels if channels == 3 else pixels[..., :1].repeat(3, axis=2)
    model = tiny(library, first=first, channels=channels)
    seen = pixels[None, ..., ::-1][..., :channels].astype(np.float32)
    expected = model(seen, training=False)
    np.testing.assert_allclose(classify(path.with_suffix(".onnx"), pixels), expected, atol=1e-4)


@pytest.mark.parametrize("library", ERAS, ids=["legacy", "current"])
@pytest.mark.parametrize("flatten", [False, True])
def test_only_the_batch_is_open(library: ModuleType, flatten: bool, tmp_path: Path) -> None:
    path = save_tiny(library, tmp_path / "m.keras", flatten=flatten)
    convert(path)
    model = onnx.load(path.with_suffix(".onnx"))
    kinds = {node.op_type for node in model.graph.node}
    assert not kinds & {"Shape", "Gather", "Slice", "Transpose"}
    for value in model.graph.value_info:
        axes = value.type.tensor_type.shape.dim
        assert sum(not axis.HasField("dim_value") for axis in axes) <= 1, value.name
    many = np.zeros((5, 1, SIDE, SIDE), np.float32)
    with open_backend(path.with_suffix(".onnx"), "onnxruntime") as backend:
        assert backend.infer({"image": many})["probabilities"].shape == (5, 7)


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("precision", ["fp32", "fp16"])
def test_a_picture_is_enlarged_by_convolutions(
    precision: str, channels: int, tmp_path: Path
) -> None:
    first = [keras.layers.Resizing(2 * SIDE + 1, 3 * SIDE)]
    path = save_tiny(keras, tmp_path / "m.keras", first=first, channels=channels)
    conversion = convert(path, Options(precision=precision, order="fer2013"))
    assert conversion.operators[1].get("Resize", 0) == 0
    pixels = np.random.default_rng(0).integers(0, 256, (SIDE, SIDE, 3), np.uint8)
    pixels = pixels if channels == 3 else pixels[..., :1].repeat(3, axis=2)
    seen = pixels[None, ..., ::-1][..., :channels].astype(np.float32) / 127.5 - 1
    expected = tiny(keras, first=first, channels=channels)(seen, training=False)
    found = classify(path.with_suffix(".onnx"), pixels)
    np.testing.assert_allclose(found, expected, atol=1e-4 if precision == "fp32" else 5e-3)


def test_maps_of_classes_are_refused(tmp_path: Path) -> None:
    image = keras.layers.Input((12, 12, 1))
    keras.Model(image, keras.layers.Conv2D(7, 3, activation="softmax")(image)).save(
        tmp_path / "maps.keras"
    )
    with pytest.raises(BadInput, match=r"maps\.keras: output shape .*10, 10, 7"):
        convert(tmp_path / "maps.keras")


def test_a_model_of_another_precision_is_refused_with_the_remedy(tmp_path: Path) -> None:
    keras.config.set_dtype_policy("mixed_float16")
    try:
        tiny(keras).save(tmp_path / "mixed.keras")
    finally:
        keras.config.set_dtype_policy("float32")
    with pytest.raises(BadInput, match=r"mixed\.keras: computes in float16.*--precision"):
        convert(tmp_path / "mixed.keras")


def test_channels_first_is_refused_with_the_remedy(tmp_path: Path) -> None:
    image = keras.layers.Input((1, 12, 12))
    flat = keras.layers.Flatten()(image)
    keras.Model(image, keras.layers.Dense(7)(flat)).save(tmp_path / "first.keras")
    with pytest.raises(BadInput, match="channels_last"):
        convert(tmp_path / "first.keras")


@pytest.mark.parametrize("precision", ["fp32", "fp16"])
def test_a_label_head_becomes_a_second_output(precision: str, tmp_path: Path) -> None:
    from fer_edge.models.networks import build_network

    options = {"widths": [4, 8], "convolutions": [1, 1], "label_head": True}
    network = build_network("plain", 7, options)
    assert network.output_names == ["probabilities", "label_probabilities"]
    network.save(tmp_path / "m.keras")
    facts = convert(tmp_path / "m.keras", Options(precision=precision, order="fer2013")).facts
    assert facts.expression is not None
    assert facts.expression.label_output == "label_probabilities"
    assert facts.without_label_head().expression.label_output is None  # type: ignore[union-attr]
    pixels = np.random.default_rng(0).uniform(0, 255, (3, 48, 48, 1)).astype(np.float32)
    expected = network(pixels, training=False)
    with open_backend(tmp_path / "m.onnx", "onnxruntime") as backend:
        see = backend.facts.input
        scaled = ((pixels - see.mean[0]) * see.scale[0]).transpose(0, 3, 1, 2)
        found = backend.infer({see.name: scaled.astype(np.float32)})
    assert list(found) == network.output_names
    for name, rows in zip(network.output_names, expected, strict=True):
        np.testing.assert_allclose(found[name], rows, atol=1e-4 if precision == "fp32" else 5e-3)


def test_other_second_outputs_are_refused(tmp_path: Path) -> None:
    image = keras.layers.Input((SIDE, SIDE, 1))
    pooled = keras.layers.GlobalAveragePooling2D()(image)
    heads = [keras.layers.Dense(7, "softmax", name=name)(pooled) for name in ("age", "mood")]
    keras.Model(image, heads).save(tmp_path / "m.keras")
    with pytest.raises(BadInput, match="1 inputs, 2 outputs"):
        convert(tmp_path / "m.keras")
