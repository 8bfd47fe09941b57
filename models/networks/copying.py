"""Copies of a Keras model with another head, input scaling or precision."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np

from fer_edge.engine.errors import BadInput, first_line


def copy_network(model: Any, classes: int | None = None, rescale: bool = False) -> Any:
    """Copy a classifier, its layers following the dtype policy in force.

    The head, which is the last layer with weights and all that follows it, stays float32 under
    every policy, since half precision has too few digits for the loss.

    Args:
        model: a functional or sequential Keras 3 model with one input and one output.
        classes: of a new head with fresh weights; None copies the head as well.
        rescale: whether to put the scaling of 0-255 to [-1, 1] in front, for models that
            were fed with scaled pixels. A softmax is appended where the end is none.

    Raises:
        BadInput: a head that is neither dense nor a convolution, or that cannot have another
            number of classes.
    """
    head = _head(model)
    policy = keras.config.dtype_policy()
    tail = set()
    for layer in reversed(model.layers):
        tail.add(layer.name)
        if layer is head:
            break

    def fresh(layer: Any) -> Any:
        settings = layer.get_config()
        if "dtype" in settings:
            settings["dtype"] = "float32" if layer.name in tail else policy
        if layer is head and classes is not None:
            settings["units" if isinstance(layer, keras.layers.Dense) else "filters"] = classes
        return type(layer).from_config(settings)

    try:
        copy = keras.models.clone_model(model, clone_function=fresh)
        copy = _with_ends(copy, rescale)
    except (ValueError, TypeError, AttributeError, KeyError) as error:
        reason = first_line(error)
        raise BadInput(f"the network cannot be given another head: {reason}") from error
    for layer in model.layers:
        if layer.weights and (layer is not head or classes is None):
            copy.get_layer(layer.name).set_weights(layer.get_weights())
    return copy


def _head(model: Any) -> Any:
    layer = next((layer for layer in reversed(model.layers) if layer.weights), None)
    if not isinstance(layer, (keras.layers.Dense, keras.layers.Conv2D)):
        kind = type(layer).__name__
        raise BadInput(f"its last layer with weights is {kind}, expected Dense or Conv2D")
    return layer


def _with_ends(model: Any, rescale: bool) -> Any:
    """The model with a scaling in front and a softmax behind, where they are missing."""
    softmax = _ends_in_softmax(model)
    if softmax and not rescale:
        return model
    image = keras.layers.Input(model.input_shape[1:], name="image")
    x: Any = image
    if rescale:
        x = keras.layers.Rescaling(1 / 127.5, offset=-1.0, name="scale")(x)
    x = _applied(model, x)
    if not softmax:
        x = keras.layers.Softmax(dtype="float32", name="probabilities")(x)
    return keras.Model(image, x, name=model.name)


def _applied(model: Any, tensor: Any) -> Any:
    """The model's very layers applied to another tensor, without nesting it."""
    known = {id(model.inputs[0]): tensor}
    for layer in model.layers:
        if isinstance(layer, keras.layers.InputLayer):
            continue
        # A list for layers that join several tensors. Layers used twice have no one input.
        seen = layer.input
        again = [known[id(t)] for t in seen] if isinstance(seen, list) else known[id(seen)]
        known[id(layer.output)] = layer(again)
    return known[id(model.outputs[0])]


def _ends_in_softmax(model: Any) -> bool:
    """Whether rows of the output are probabilities, by trying."""
    shape = (2, *model.input_shape[1:])
    noise = np.random.default_rng(0).uniform(0, 255, shape).astype(np.float32)
    # Called, since a back end would compile it to predict, which takes longer than this once.
    rows = np.asarray(keras.ops.convert_to_numpy(model(noise, training=False)), np.float64)
    return bool((rows >= 0).all() and np.allclose(rows.sum(axis=-1), 1, atol=1e-2))
