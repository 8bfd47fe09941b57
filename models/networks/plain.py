"""The expression network: plain 3x3 convolutions, which run well on every target.

Simonyan and Zisserman's VGG layout (arXiv 1409.1556) with batch normalisation
(arXiv 1502.03167) and global average pooling (arXiv 1312.4400).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from keras import layers

from .ends import classifier, face_input


def plain_network(
    classes: int = 7,
    side: int = 48,
    widths: Sequence[int] = (32, 64, 128, 256),
    convolutions: Sequence[int] = (1, 2, 2, 2),
    dropout: float = 0.3,
    spatial_dropout: float = 0.0,
    label_head: bool = False,
) -> Any:
    """Build the network: gray faces `(n, side, side, 1)`, 0-255, to probabilities `(n, classes)`.

    See `ends.py` for its first and last layers.
    """
    image, x = face_input(side, side)
    for stage, (width, count) in enumerate(zip(widths, convolutions, strict=True), start=1):
        for index in range(1, count + 1):
            x = _convolution(x, width, f"stage{stage}_{index}")
        x = layers.MaxPooling2D(name=f"stage{stage}_pool")(x)
        if spatial_dropout:
            x = layers.SpatialDropout2D(spatial_dropout, name=f"stage{stage}_dropout")(x)
    return classifier(image, x, classes, dropout, "plain_network", label_head)


def _convolution(x: Any, width: int, name: str) -> Any:
    x = layers.Conv2D(
        width, 3, padding="same", use_bias=False, kernel_initializer="he_normal", name=name
    )(x)
    x = layers.BatchNormalization(momentum=0.9, name=f"{name}_norm")(x)
    return layers.ReLU(name=f"{name}_relu")(x)
