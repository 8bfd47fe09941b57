"""MobileNet (Howard et al., arXiv 1704.04861), which looks at an enlarged face.

Its depthwise convolutions are bound by memory on a CPU; at 160x160 pixels it is slower there
than the residual network and more accurate, given the first weights of `face_attributes.py`.
"""

from __future__ import annotations

from typing import Any

from keras import layers

from .ends import classifier, face_input

# Filters and stride of each block but the last (table 1 there).
BLOCKS = [
    (64, 1), (128, 2), (128, 1), (256, 2), (256, 1), (512, 2), *[(512, 1)] * 5, (1024, 2)
]  # fmt: skip


def mobilenet(
    classes: int = 7,
    side: int = 48,
    dropout: float = 0.3,
    resolution: int = 160,
    features: int = 1024,
) -> Any:
    """Build the network: gray faces `(n, side, side, 1)`, 0-255, to probabilities `(n, classes)`.

    See `ends.py` for its first and last layers.

    Args:
        classes: of the output.
        side: of the input in pixels.
        dropout: before the last layer.
        resolution: pixels a side that a face is enlarged to, bilinearly. A 32nd of it remains
            of the maps before pooling. Weights do not depend on it.
        features: filters of the last block.
    """
    image, x = face_input(side, resolution)
    x = _active(layers.Conv2D(32, 3, strides=2, padding="same", use_bias=False, name="stem"), x)
    for index, (width, stride) in enumerate([*BLOCKS, (features, 1)], start=1):
        depthwise = layers.DepthwiseConv2D(
            3, strides=stride, padding="same", use_bias=False, name=f"block{index}_depthwise"
        )
        pointwise = layers.Conv2D(width, 1, use_bias=False, name=f"block{index}_pointwise")
        x = _active(pointwise, _active(depthwise, x))
    return classifier(image, x, classes, dropout, "mobilenet")


def _active(convolution: Any, x: Any) -> Any:
    norm = layers.BatchNormalization(momentum=0.9, name=f"{convolution.name}_norm")
    return layers.ReLU(max_value=6.0, name=f"{convolution.name}_relu")(norm(convolution(x)))
