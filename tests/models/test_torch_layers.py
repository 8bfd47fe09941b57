"""Fast layers on PyTorch compute what Keras' own do."""

from __future__ import annotations

import subprocess
import sys

import pytest

# In a process of its own: Keras has one back end for the life of a process.
SCRIPT = """
import os
os.environ["KERAS_BACKEND"] = "torch"
import keras, numpy as np, torch
from keras import layers
keras.utils.set_random_seed(0)
image = layers.Input((46, 38, 3))
x = layers.BatchNormalization()(layers.Conv2D(8, 3, strides=2, padding="same")(image))
x = layers.MaxPooling2D(3, strides=2, padding="same")(layers.ReLU()(x))
x = layers.DepthwiseConv2D(3, strides=2, padding="same")(x)
x = layers.DepthwiseConv2D((2, 3), strides=3, activation="relu")(x)
x = layers.BatchNormalization(axis=1)(x)
x = layers.BatchNormalization(scale=False)(layers.Dense(5)(layers.GlobalAveragePooling2D()(x)))
model = keras.Model(image, x)
pixels = np.random.default_rng(0).normal(size=(64, 46, 38, 3)).astype("float32")
first = model.get_weights()

def outcome():
    model.set_weights(first)
    seen = model(pixels, training=True)
    (seen ** 2).mean().backward()
    slopes = [v.value.grad.clone() for v in model.trainable_variables]
    model.zero_grad()
    values = [seen.detach(), model(pixels, training=False).detach(), *slopes]
    return [v.numpy() for v in values], [np.array(w) for w in model.get_weights()]

slow, slow_weights = outcome()
from fer_edge.models.torch_layers import use_fast_layers
use_fast_layers()
called = keras.layers.BatchNormalization.call
use_fast_layers()
assert keras.layers.BatchNormalization.call is called, "applied twice"
from fer_edge.models import torch_depthwise
ours, strides = torch_depthwise.depthwise_striding, []
torch_depthwise.depthwise_striding = lambda *given: strides.append(given[2]) or ours(*given)
fast, fast_weights = outcome()
assert set(strides) == {2, 3}, strides
for ours, theirs in zip(fast, slow, strict=True):
    np.testing.assert_allclose(ours, theirs, atol=2e-3, rtol=2e-3)
# The unbiased estimate of the moving variance differs by a sixty-fourth at most.
for ours, theirs in zip(fast_weights, slow_weights, strict=True):
    np.testing.assert_allclose(ours, theirs, atol=1e-3, rtol=2e-2)
"""


def test_training_and_inference_stay_the_same() -> None:
    pytest.importorskip("torch", reason="torch is not installed")
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
