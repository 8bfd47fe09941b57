"""MobileNet (Howard et al., arXiv 1704.04861), which looks at an enlarged face.

At 160x160 pixels it is slower than the residual network and more accurate, given the first
weights of `face_attributes.py`; at 128x128, pruned (`pruning.py`), it is nearly as fast.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from keras import layers

from .ends import classifier, face_input

# Filters of the stem and of each block but the last (table 1 there).
WIDTHS = (32, 64, 128, 128, 256, 256, 512, 512, 512, 512, 512, 512, 1024)
BLOCKS = len(WIDTHS)
# Blocks that halve the maps.
HALVING = (2, 4, 6, 12)


def mobilenet(
    classes: int = 7,
    side: int = 48,
    dropout: float = 0.3,
    resolution: int = 160,
    features: int = 1024,
    widths: Sequence[int] = WIDTHS,
    label_head: bool = False,
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
        widths: filters of the stem and of the twelve blocks before.
        label_head: see `ends.classifier`.

    Raises:
        ValueError: another number of widths.
    """
    if len(widths) != len(WIDTHS):
        raise ValueError(f"{len(widths)} widths; MobileNet has {len(WIDTHS)}")
    image, x = face_input(side, resolution)
    stem = layers.Conv2D(widths[0], 3, strides=2, padding="same", use_bias=False, name="stem")
    x = _active(stem, x)
    for index, width in enumerate([*widths[1:], features], start=1):
        stride = 2 if index in HALVING else 1
        depthwise = layers.DepthwiseConv2D(
            3, strides=stride, padding="same", use_bias=False, name=f"block{index}_depthwise"
        )
        pointwise = layers.Conv2D(width, 1, use_bias=False, name=f"block{index}_pointwise")
        x = _active(pointwise, _active(depthwise, x))
    return classifier(image, x, classes, dropout, "mobilenet", label_head)


def _active(convolution: Any, x: Any) -> Any:
    norm = layers.BatchNormalization(momentum=0.9, name=f"{convolution.name}_norm")
    return layers.ReLU(max_value=6.0, name=f"{convolution.name}_relu")(norm(convolution(x)))
