"""A small residual network with a wide first kernel.

The layout of dlib's face recognition network (King, 2017), itself a ResNet (He et al.,
arXiv 1512.03385) of 3x3 convolutions with 32 to 256 filters, cut off after its first block
of 256. That network sees 150x150 pixels through a 7x7 kernel at stride 2; a 5x5 kernel at
stride 1 does the same on a 48x48 face, see `face_recognition.py`. Shortcuts
that change the size average first, and other blocks begin as the identity (He et al., "Bag of
Tricks", arXiv 1812.01187).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from keras import layers

from .ends import classifier, face_input


def residual_network(
    classes: int = 7,
    side: int = 48,
    widths: Sequence[int] = (32, 64, 128, 256),
    blocks: Sequence[int] = (3, 4, 3, 1),
    dropout: float = 0.3,
    resolution: int | None = None,
    label_head: bool = False,
) -> Any:
    """Build the network: gray faces `(n, side, side, 1)`, 0-255, to probabilities `(n, classes)`.

    See `ends.py` for its first and last layers.

    Args:
        classes: of the output.
        side: of the input in pixels.
        widths: filters of each stage.
        blocks: of each stage.
        dropout: before the last layer.
        resolution: pixels a side that the first convolution sees; `side` if None. Each stage
            halves it, so that four stages need a multiple of 16. A face is enlarged to it,
            bilinearly. Maps of every stage grow with it and weights do not, so that a network
            trained at one resolution can go on at another (Touvron et al., arXiv 1906.06423).
        label_head: see `ends.classifier`.

    Raises:
        ValueError: the stages cannot halve the resolution.
    """
    resolution = side if resolution is None else resolution
    smallest = 2 ** len(widths)
    if resolution < smallest or resolution % smallest:
        raise ValueError(f"resolution {resolution} is no multiple of {smallest}")
    image, x = face_input(side, resolution)
    x = layers.ReLU(name="stem_relu")(_normalised(x, widths[0], "stem", kernel=5))
    x = layers.MaxPooling2D(3, strides=2, padding="same", name="stem_pool")(x)
    for stage, (width, count) in enumerate(zip(widths, blocks, strict=True), start=1):
        for index in range(1, count + 1):
            x = _block(x, width, f"stage{stage}_{index}", halve=stage > 1 and index == 1)
    return classifier(image, x, classes, dropout, "residual_network", label_head)


def _block(x: Any, width: int, name: str, halve: bool) -> Any:
    shortcut = x
    if halve:
        shortcut = layers.AveragePooling2D(2, name=f"{name}_pool")(x)
        shortcut = layers.Conv2D(width, 1, use_bias=False, name=f"{name}_shortcut")(shortcut)
    x = _normalised(x, width, f"{name}_conv1", stride=2 if halve else 1)
    x = layers.ReLU(name=f"{name}_conv1_relu")(x)
    x = _normalised(x, width, f"{name}_conv2", gamma="ones" if halve else "zeros")
    x = layers.Add(name=f"{name}_add")([x, shortcut])
    return layers.ReLU(name=f"{name}_relu")(x)


def _normalised(
    x: Any, width: int, name: str, kernel: int = 3, stride: int = 1, gamma: str = "ones"
) -> Any:
    x = layers.Conv2D(
        width,
        kernel,
        strides=stride,
        padding="same",
        use_bias=False,
        kernel_initializer="he_normal",
        name=name,
    )(x)
    norm = layers.BatchNormalization(momentum=0.9, gamma_initializer=gamma, name=f"{name}_norm")
    return norm(x)
