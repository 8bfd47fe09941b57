"""Keras models that the tests make, written for Keras 2 (tf_keras) and Keras 3 alike."""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np

from fer_edge.convert.images import parity_faces
from fer_edge.models.networks.published import published_network


def randomise(model: Any, seed: int = 0) -> Any:
    """Give every weight a value, so that nothing is hidden by zeros."""
    rng = np.random.default_rng(seed)
    for layer in model.layers:
        weights = layer.get_weights()
        values = []
        for index, array in enumerate(weights):
            fan_in = max(1, int(np.prod(array.shape[:-1])))
            spread = 0.2 if array.ndim in (1, 3) else np.sqrt(2 / fan_in)
            value = rng.normal(0, spread, array.shape)
            if "BatchNorm" in type(layer).__name__:
                value = rng.uniform(0.5, 1.5, array.shape) if index in (0, 3) else value
            values.append(value)
        layer.set_weights(values)
    return model


def small(keras: Any, shape: tuple[int, int, int] = (24, 20, 1), classes: int = 7) -> Any:
    """A classifier with the layers that expression models of all years use."""
    layers = keras.layers
    image = layers.Input(shape)
    x = layers.Conv2D(8, 3, padding="same", use_bias=False)(image)
    x = layers.BatchNormalization()(x)
    x = layers.PReLU()(x)
    x = layers.ZeroPadding2D(1)(x)
    x = layers.DepthwiseConv2D(3, strides=2, use_bias=False)(x)
    x = layers.BatchNormalization()(x)
    x = layers.ReLU(6.0)(x)
    y = layers.SeparableConv2D(8, 3, padding="same", activation="relu")(x)
    x = layers.Add()([x, y])
    x = layers.Concatenate()([x, layers.LeakyReLU()(x)])
    x = layers.AveragePooling2D(2)(x)
    x = layers.Dropout(0.4)(x)
    x = layers.Flatten()(x)
    x = layers.Dense(16, activation="elu")(x)
    return randomise(keras.Model(image, layers.Dense(classes, activation="softmax")(x)))


def published(keras: Any, classes: int = 7) -> Any:
    """The published expression network, fed with scaled pixels as the program of 2019 does."""
    network = published_network(keras, classes, rescale=False)
    return settle(keras, randomise(network))


def settle(keras: Any, model: Any) -> Any:
    """Give a deep network answers that differ from face to face, as those of a trained one do.

    Random weights alone wash every difference out over so many layers: all faces get the
    same probabilities, and any conversion would agree with them.
    """
    height, width = model.inputs[0].shape[1:3]
    faces = np.stack(
        [cv2.cvtColor(f, cv2.COLOR_BGR2GRAY) for f in parity_faces(None, height, width)]
    )
    scaled = faces[..., None].astype(np.float32) / 127.5 - 1
    for layer in model.layers:
        if "BatchNorm" in type(layer).__name__:
            layer.momentum = 0.0
    model(scaled, training=True)
    last = next(layer for layer in reversed(model.layers) if layer.get_weights())
    logits = np.asarray(keras.Model(model.inputs, last.output)(scaled, training=False))
    kernel, bias = last.get_weights()
    spread, middle = logits.std(axis=(0, 1, 2)), logits.mean(axis=(0, 1, 2))
    last.set_weights([kernel / spread, (bias - middle) / spread])
    return model
