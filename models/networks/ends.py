"""What the expression networks have in common: how a face comes in and probabilities go out."""

from __future__ import annotations

from typing import Any

import keras
from keras import layers


def face_input(side: int, resolution: int) -> tuple[Any, Any]:
    """A gray face `(n, side, side, 1)`, 0-255, and what the first convolution sees of it.

    The scaling to [-1, 1] is a layer, so that it cannot be forgotten by whoever runs the
    network. A face is enlarged to `resolution` pixels a side, bilinearly, where that differs.
    """
    image = layers.Input((side, side, 1), name="image")
    x = layers.Rescaling(1 / 127.5, offset=-1.0, name="scale")(image)
    if resolution != side:
        x = layers.Resizing(resolution, resolution, name="enlarge")(x)
    return image, x


def classifier(
    image: Any, maps: Any, classes: int, dropout: float, name: str, label_head: bool = False
) -> Any:
    """The network from `image` to probabilities `(n, classes)` of its last maps.

    With `label_head` it has a second output of that shape from a dense layer of its own:
    `probabilities` is then for what people say of a face, `label_probabilities` for the
    data set's label. Each softmax is float32 under every precision policy.
    """
    x = layers.GlobalAveragePooling2D(name="pool")(maps)
    x = layers.Dropout(dropout, name="dropout")(x)
    outputs = [
        layers.Softmax(dtype="float32", name=f"{head}probabilities")(
            layers.Dense(classes, name=f"{head}logits")(x)
        )
        for head in (("", "label_") if label_head else ("",))
    ]
    return keras.Model(image, outputs if label_head else outputs[0], name=name)
