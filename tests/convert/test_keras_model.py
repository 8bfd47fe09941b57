from __future__ import annotations

import json
import zipfile
from dataclasses import replace
from pathlib import Path
from typing import Any

import cv2
import h5py
import keras
import numpy as np
import onnx
import pytest

from fer_edge.convert.cli import main
from fer_edge.convert.conversion import Options, write
from fer_edge.convert.expression import convert_expression
from fer_edge.convert.images import parity_faces
from fer_edge.convert.keras_model import FACTS_MEMBER, load, read_keras_file
from fer_edge.convert.report import make_step
from fer_edge.convert.tensorflow import import_tensorflow
from fer_edge.engine.backends import open_backend
from fer_edge.engine.errors import BadInput, UnsafeModel
from fer_edge.engine.model import FER2013_LABELS, read_facts
from fer_edge.engine.preprocess import network_input

from .keras_models import published, randomise, small

import_tensorflow()
import tf_keras  # noqa: E402

ERAS = {"legacy": tf_keras, "current": keras}
DATA = Path(__file__).with_name("data")


def convert(source: Path, *options: str) -> tuple[Path, dict[str, Any]]:
    output, report = source.with_suffix(".onnx"), source.with_suffix(".json")
    told = {"--labels", "--order"} & {*options} or read_keras_file(source).labels
    named = [] if told else ["--order", "fer2013"]
    arguments = [str(source), "-o", str(output), "--json", str(report), "--quiet", *named, *options]
    assert main(arguments) == 0
    return output, json.loads(report.read_text())


def answers(path: Path, scaled: np.ndarray) -> np.ndarray:
    """Probabilities of a converted model for scaled faces `(n, h, w, c)`."""
    with open_backend(path, "onnxruntime") as backend:
        faces = np.ascontiguousarray(scaled.transpose(0, 3, 1, 2), np.float32)
        return backend.infer({"image": faces})["probabilities"]


@pytest.mark.parametrize(
    ("name", "shape"),
    [
        ("keras_2_0_9", (48, 48, 1)),
        ("keras_2_2_4", (48, 48, 1)),
        ("keras_2_2_4_colour", (32, 40, 3)),
    ],
)
def test_files_of_their_time_give_the_answers_of_their_time(
    name: str, shape: tuple[int, int, int], tmp_path: Path
) -> None:
    """Files and answers were made with Keras 2.0.9 and 2.2.4 on TensorFlow 1.15."""
    source = tmp_path / f"{name}.h5"
    source.write_bytes((DATA / f"{name}.h5").read_bytes())
    expected = np.load(DATA / f"{name}_probabilities.npy")
    labels = [] if expected.shape[1] == 7 else ["--labels", "a,b,c,d,e"]
    output, _ = convert(source, *labels)
    faces = np.random.RandomState(0).uniform(-1, 1, (6, *shape))
    np.testing.assert_allclose(answers(output, faces), expected, atol=1e-4)


@pytest.mark.parametrize("era", ERAS)
@pytest.mark.parametrize("suffix", [".h5", ".keras", ".hdf5"])
@pytest.mark.parametrize("channels", [1, 3])
def test_models_of_both_eras_convert(era: str, suffix: str, channels: int, tmp_path: Path) -> None:
    path = tmp_path / f"model{suffix}"
    model = small(ERAS[era], (24, 20, channels))
    if suffix == ".hdf5":
        model.save(tmp_path / "model.h5")
        (tmp_path / "model.h5").rename(path)
    else:
        model.save(path)
    output, report = convert(path)
    facts = read_facts(output)
    assert facts.kind == "expression"
    assert (facts.input.height, facts.input.width) == (24, 20)
    assert facts.input.colour == ("gray" if channels == 1 else "rgb")
    assert facts.labels == FER2013_LABELS
    assert report["parity"]["max_error"] < 1e-4
    assert report["operators_after"].get("PRelu") == 1
    assert "BatchNormalization" not in report["operators_after"]
    faces = np.random.default_rng(3).uniform(-1, 1, (5, 24, 20, channels))
    expected = model(faces.astype(np.float32), training=False)
    np.testing.assert_allclose(answers(output, faces), expected, atol=1e-4)
    batch = onnx.load(output).graph.input[0].type.tensor_type.shape.dim[0]
    assert batch.dim_param == "batch"


def test_the_published_network_loses_all_its_transposes_and_converts_in_half(
    tmp_path: Path,
) -> None:
    """Random weights leave many faces nearly tied, which fer-convert may refuse as a whole."""
    published(tf_keras).save(tmp_path / "published.h5")
    options = Options(precision="fp16", order="fer2013")
    half = convert_expression(tmp_path / "published.h5", options, make_step(quiet=True))
    before, after = half.operators
    assert before["Transpose"] > 50
    assert "Transpose" not in after
    assert after["PRelu"] == 31
    assert not {"Neg", "Relu", "Mul", "BatchNormalization"} & after.keys()
    write(half, tmp_path / "half.onnx")
    assert (tmp_path / "half.onnx").stat().st_size < 7e6
    pictures = parity_faces(None, 48, 48)
    gray = np.stack([cv2.cvtColor(picture, cv2.COLOR_BGR2GRAY) for picture in pictures])
    expected = half.original(gray[..., None].astype(np.float32))
    found = answers(tmp_path / "half.onnx", gray[..., None].astype(np.float32) / 127.5 - 1)
    error = np.abs(found - expected).max()
    assert 0 < error < 0.02
    assert np.ptp(expected, axis=0).max() > 0.1, "the comparison must not be empty"
    flipped = found.argmax(axis=1) != expected.argmax(axis=1)
    ordered = np.sort(expected, axis=1)
    assert (ordered[flipped, -1] - ordered[flipped, -2] < 2 * error).all()


def test_scaling_inside_the_model_travels_as_facts(tmp_path: Path) -> None:
    image = keras.layers.Input((16, 16, 1))
    x = keras.layers.Rescaling(1 / 127.5, offset=-1.0)(image)
    x = keras.layers.Conv2D(4, 3)(x)
    x = keras.layers.GlobalAveragePooling2D()(x)
    model = keras.Model(image, keras.layers.Dense(7, activation="softmax")(x))
    randomise(model).save(tmp_path / "scaled.keras")
    output, report = convert(tmp_path / "scaled.keras")
    facts = read_facts(output).input
    assert facts.mean == pytest.approx((127.5,), rel=1e-5)
    assert facts.scale == pytest.approx((1 / 127.5,), rel=1e-5)
    assert [note for note in report["notes"] if "--order" not in note] == []
    assert not {"Mul", "Add"} & report["operators_after"].keys() - {"Add"}


@pytest.mark.parametrize(
    ("options", "mean", "scale"),
    [
        ((), 127.5, 1 / 127.5),
        (("--input-range=0,1",), 0, 1 / 255),
        (("--input-range=0,255",), 0, 1),
    ],
)
def test_the_input_range_is_told_or_guessed_aloud(
    options: tuple[str, ...], mean: float, scale: float, tmp_path: Path
) -> None:
    small(keras).save(tmp_path / "m.keras")
    output, report = convert(tmp_path / "m.keras", *options)
    facts = read_facts(output).input
    assert facts.mean == pytest.approx((mean,), abs=1e-4)
    assert facts.scale == pytest.approx((scale,), rel=1e-5)
    assert any("how it wants its pixels" in note for note in report["notes"]) == (not options)


def test_blue_first_and_a_mean_are_said_and_held_against_the_original(tmp_path: Path) -> None:
    """As networks made for VGGFace want their pictures."""
    model = small(keras, (24, 20, 3))
    model.save(tmp_path / "m.keras")
    mean = (93.5, 104.75, 129.25)
    words = ["--colour=bgr", f"--mean={','.join(map(str, mean))}", "--scale=0.0125"]
    output, report = convert(tmp_path / "m.keras", *words)
    facts = read_facts(output).input
    assert (facts.colour, facts.mean) == ("bgr", pytest.approx(mean))
    assert facts.scale == pytest.approx((0.0125,) * 3)
    assert report["parity"]["max_error"] < 1e-4
    face = np.random.default_rng(2).integers(0, 256, (24, 20, 3), np.uint8)
    expected = model.predict((face[None] - np.array(mean)) * 0.0125, verbose=0)
    with open_backend(output, "onnxruntime") as backend:
        found = backend.infer({"image": network_input(face, facts)})["probabilities"]
    np.testing.assert_allclose(found, expected, atol=1e-4)


@pytest.mark.parametrize("ahead", ["ZeroPadding2D", "Conv2D", "Sequential"])
def test_a_rescaling_counts_as_the_first_layer_that_changes_values(
    ahead: str, tmp_path: Path
) -> None:
    layers = keras.layers
    x = image = layers.Input((16, 16, 1))
    if ahead == "Conv2D":
        x = layers.Conv2D(1, 3)(x)
    elif ahead == "ZeroPadding2D":
        x = layers.ZeroPadding2D(1)(x)
    scaling = layers.Rescaling(1 / 255)
    if ahead == "Sequential":
        scaling = keras.Sequential([layers.RandomFlip(), scaling])
    x = layers.GlobalAveragePooling2D()(scaling(x))
    keras.Model(image, layers.Dense(7)(x)).save(tmp_path / "m.keras")
    assert read_keras_file(tmp_path / "m.keras").scales_pixels == (ahead != "Conv2D")


def test_logits_get_a_softmax(tmp_path: Path) -> None:
    image = keras.layers.Input((16, 16, 1))
    x = keras.layers.Flatten()(keras.layers.Conv2D(2, 3)(image))
    model = randomise(keras.Model(image, keras.layers.Dense(7)(x)))
    model.save(tmp_path / "logits.keras")
    output, _ = convert(tmp_path / "logits.keras")
    faces = np.random.default_rng(0).uniform(-1, 1, (4, 16, 16, 1)).astype(np.float32)
    logits = model(faces, training=False)
    expected = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    np.testing.assert_allclose(answers(output, faces), expected, atol=1e-4)


def test_an_open_input_size_must_be_given(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    image = keras.layers.Input((None, None, 1))
    x = keras.layers.GlobalAveragePooling2D()(keras.layers.Conv2D(4, 3)(image))
    keras.Model(image, keras.layers.Dense(7, activation="softmax")(x)).save(tmp_path / "m.keras")
    assert main([str(tmp_path / "m.keras"), "--quiet"]) == 2
    assert "--input-size" in capsys.readouterr().err
    output, _ = convert(tmp_path / "m.keras", "--input-size", "32x24")
    assert (read_facts(output).input.height, read_facts(output).input.width) == (32, 24)


@pytest.mark.parametrize("era", ERAS)
@pytest.mark.parametrize("suffix", [".h5", ".keras"])
def test_a_lambda_is_refused_before_keras_sees_it(era: str, suffix: str, tmp_path: Path) -> None:
    layers = ERAS[era].layers
    image = layers.Input((8, 8, 1))
    inner = ERAS[era].Sequential([layers.Input((8, 8, 1)), layers.Lambda(lambda x: x + 1)])
    model = ERAS[era].Model(image, layers.Dense(7)(layers.Flatten()(inner(image))))
    model.save(tmp_path / f"evil{suffix}")
    with pytest.raises(UnsafeModel, match=r"evil.*Lambda.*refused"):
        read_keras_file(tmp_path / f"evil{suffix}")


def tampered(path: Path, change: Any) -> Path:
    """A Keras 3 h5 file whose configuration was changed."""
    small(keras).save(path)
    with h5py.File(path, "r+") as file:
        config = json.loads(file.attrs["model_config"])
        change(config)
        file.attrs["model_config"] = json.dumps(config)
    return path


def dense(config: dict[str, Any]) -> dict[str, Any]:
    return next(la for la in config["config"]["layers"] if la["class_name"] == "Dense")


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda c: dense(c).update(class_name="TFOpLambda"), "TFOpLambda"),
        (lambda c: dense(c).update(class_name="Backdoor"), "Backdoor"),
        (lambda c: dense(c).update(module="os"), "os"),
        (lambda c: dense(c).update(registered_name="Evil>Dense"), "Evil"),
        (lambda c: dense(c)["config"].update(activation="os.system"), "os.system"),
        (
            lambda c: dense(c)["config"].update(
                activation={"class_name": "function", "config": "system", "module": "builtins"}
            ),
            "function",
        ),
        (
            lambda c: dense(c)["config"].update(
                kernel_initializer={"class_name": "__lambda__", "config": {"value": "x"}}
            ),
            "__lambda__",
        ),
    ],
)
def test_tampered_configurations_are_refused_by_name(change, words: str, tmp_path: Path) -> None:
    with pytest.raises(UnsafeModel, match=words):
        read_keras_file(tampered(tmp_path / "m.h5", change))


def test_files_that_are_no_keras_model_are_told_apart(tmp_path: Path) -> None:
    with h5py.File(tmp_path / "data.h5", "w") as file:
        file["numbers"] = [1, 2, 3]
    with pytest.raises(BadInput, match=r"data\.h5.*no Keras model"):
        read_keras_file(tmp_path / "data.h5")
    small(tf_keras).save_weights(tmp_path / "only.h5")
    with pytest.raises(BadInput, match=r"only\.h5.*weights only"):
        read_keras_file(tmp_path / "only.h5")
    with zipfile.ZipFile(tmp_path / "other.keras", "w") as archive:
        archive.writestr("readme.txt", "hello")
    with pytest.raises(BadInput, match=r"other\.keras.*not a \.keras"):
        read_keras_file(tmp_path / "other.keras")
    small(keras).save(tmp_path / "cut.h5")
    data = (tmp_path / "cut.h5").read_bytes()
    (tmp_path / "cut.h5").write_bytes(data[: len(data) // 2])
    with pytest.raises(BadInput, match=r"cut\.h5"):
        load(tmp_path / "cut.h5", read_keras_file(tmp_path / "cut.h5"))


def test_shapes_that_are_no_classifier_of_faces_are_refused(tmp_path: Path) -> None:
    vector = keras.layers.Input((10,))
    keras.Model(vector, keras.layers.Dense(7)(vector)).save(tmp_path / "vector.keras")
    two = [keras.layers.Input((8, 8, 1)) for _ in range(2)]
    flat = keras.layers.Flatten()(keras.layers.Concatenate()(two))
    keras.Model(two, keras.layers.Dense(7)(flat)).save(tmp_path / "two.keras")
    for name, words in (("vector", "input shape"), ("two", "2 inputs")):
        path = tmp_path / f"{name}.keras"
        with pytest.raises(BadInput, match=rf"{name}\.keras.*{words}"):
            load(path, read_keras_file(path))


@pytest.mark.parametrize("era", ERAS)
@pytest.mark.parametrize("held", [lambda y: [y], lambda y: {"emotion": y}])
def test_an_output_may_stand_in_a_list_or_a_dictionary(era: str, held: Any, tmp_path: Path) -> None:
    model = small(ERAS[era], (16, 16, 1))
    path = tmp_path / "held.h5"
    ERAS[era].Model(model.inputs, held(model.outputs[0])).save(path)
    output, _ = convert(path)
    faces = np.random.default_rng(3).uniform(-1, 1, (5, 16, 16, 1)).astype(np.float32)
    expected = model.predict(faces, verbose=0)
    np.testing.assert_allclose(answers(output, faces), expected, atol=1e-4)


@pytest.mark.parametrize("suffix", [".h5", ".keras"])
def test_a_network_that_was_never_built_says_what_to_do(suffix: str, tmp_path: Path) -> None:
    path = tmp_path / f"unbuilt{suffix}"
    layers = keras.layers
    keras.Sequential([layers.Conv2D(4, 3), layers.Flatten(), layers.Dense(7)]).save(path)
    with pytest.raises(BadInput, match=r"unbuilt\.(h5|keras).*model\.build\(\(None, HEIGHT"):
        load(path, read_keras_file(path))


def test_channels_before_pixels_say_what_to_do(tmp_path: Path) -> None:
    layers, first = keras.layers, {"data_format": "channels_first"}
    outside, inside = layers.Input((3, 16, 16)), layers.Input((16, 16, 3))
    for name, image, start in (
        ("out", outside, outside),
        ("in", inside, layers.Permute((3, 1, 2))(inside)),
    ):
        x = layers.Flatten()(layers.Conv2D(4, 3, **first)(start))
        keras.Model(image, layers.Dense(7)(x)).save(tmp_path / f"{name}.keras")
        path = tmp_path / f"{name}.keras"
        with pytest.raises(BadInput, match=rf"{name}\.keras.*data_format='channels_last'"):
            load(path, read_keras_file(path)).predict(np.zeros((1, 16, 16, 3), np.float32))


def with_facts(path: Path, facts: object) -> Path:
    with zipfile.ZipFile(path, "a") as archive:
        archive.writestr(FACTS_MEMBER, json.dumps(facts))
    return path


def test_what_a_file_says_of_its_certainty_travels(tmp_path: Path) -> None:
    path = tmp_path / "m.keras"
    small(keras, (16, 16, 1)).save(path)
    said = {"least_confidence": 0.57, "least_face": 20, "most_yaw": 60, "most_pitch": 30}
    with_facts(path, {"labels": list(FER2013_LABELS), "certainty": said})
    output, _ = convert(path)
    facts = read_facts(output).expression
    assert facts is not None
    assert {name: getattr(facts, name) for name in said} == said
    output, _ = convert(path, "--min-confidence", "0.8")
    changed = read_facts(output).expression
    assert changed == replace(facts, least_confidence=0.8)


@pytest.mark.parametrize(
    "certainty", [{"least_confidence": 2}, {"least_face": "many"}, {"unknown": 1}, [1], 7]
)
def test_a_certainty_of_no_use_is_refused(certainty: object, tmp_path: Path) -> None:
    path = tmp_path / "m.keras"
    small(keras, (16, 16, 1)).save(path)
    with_facts(path, {"certainty": certainty})
    with pytest.raises(BadInput, match="certainty"):
        read_keras_file(path)
