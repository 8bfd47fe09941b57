"""What stands behind a network's last layer becomes probabilities, or is refused."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest

from fer_edge.convert.conversion import Conversion, Options, write
from fer_edge.convert.endings import last_activation
from fer_edge.convert.expression import convert_expression
from fer_edge.convert.report import make_step
from fer_edge.convert.tensorflow import import_tensorflow
from fer_edge.engine.backends import open_backend
from fer_edge.engine.errors import BadInput

from .tiny import SIDE, tiny

import_tensorflow()
import tf_keras  # noqa: E402

FACES = np.random.default_rng(1).uniform(0, 255, (6, SIDE, SIDE, 1)).astype(np.float32)


def ending_in(library: Any, activation: str | None, as_layer: bool) -> Any:
    """The tiny classifier with another end."""
    model = tiny(library)
    layers, last = library.layers, model.layers[-1]
    dense = layers.Dense(7, activation=None if as_layer else activation)
    y = dense(last.input)
    # Small, so that no value is out of reach of single precision.
    dense.set_weights([weights / 4 for weights in last.get_weights()])
    if as_layer:
        y = layers.Reshape((7,))(layers.Activation(activation)(y))
    return library.Model(model.inputs, y)


def converted(model: Any, path: Path) -> tuple[Conversion, np.ndarray]:
    """The conversion, and what the converted network answers for `FACES`."""
    model.save(path)
    options = Options(order="fer2013", input_range=(0.0, 1.0))
    conversion = convert_expression(path, options, make_step(quiet=True))
    write(conversion, path.with_suffix(".onnx"))
    with open_backend(path.with_suffix(".onnx"), "onnxruntime") as backend:
        faces = np.ascontiguousarray(FACES.transpose(0, 3, 1, 2)) / 255
        return conversion, backend.infer({"image": faces})["probabilities"]


@pytest.mark.parametrize("library", [keras, tf_keras], ids=["current", "legacy"])
@pytest.mark.parametrize(
    ("activation", "as_layer"),
    [("sigmoid", False), ("sigmoid", True), ("softplus", False), ("exponential", True)],
)
def test_values_of_each_class_by_itself_are_divided_by_their_sum(
    library: Any, activation: str, as_layer: bool, tmp_path: Path
) -> None:
    model = ending_in(library, activation, as_layer)
    conversion, found = converted(model, tmp_path / "m.h5")
    alone = model.predict(FACES / 255, verbose=0)
    expected = alone / alone.sum(axis=1, keepdims=True)
    np.testing.assert_allclose(found, expected, atol=1e-5)
    np.testing.assert_allclose(conversion.original(FACES), expected, atol=1e-5)
    assert any(activation in note and "divided by their sum" in note for note in conversion.notes)


@pytest.mark.parametrize("activation", [None, "linear", "log_softmax"])
def test_logits_and_their_logarithms_get_a_softmax(activation: str | None, tmp_path: Path) -> None:
    model = ending_in(keras, activation, as_layer=False)
    _, found = converted(model, tmp_path / "m.keras")
    powers = np.exp(model.predict(FACES / 255, verbose=0))
    np.testing.assert_allclose(found, powers / powers.sum(axis=1, keepdims=True), atol=1e-5)


@pytest.mark.parametrize("activation", ["tanh", "relu", "softsign"])
def test_what_is_neither_is_refused(activation: str, tmp_path: Path) -> None:
    with pytest.raises(BadInput, match=rf"m\.keras: ends in {activation}.*softmax"):
        converted(ending_in(keras, activation, as_layer=True), tmp_path / "m.keras")


def test_the_end_of_a_network_in_a_network_is_found() -> None:
    outer = keras.Sequential([keras.layers.Input((SIDE, SIDE, 1)), tiny(keras)])
    assert last_activation(outer.outputs[0]) == "softmax"
