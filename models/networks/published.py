"""The expression network of the 2019 program, MUL_KSIZE_MobileNet_v2_best.

Three parallel bottlenecks see the face through kernels of 3, 7 and 11 pixels; inverted
residual blocks follow (Sandler et al., "MobileNetV2", arXiv 1801.04381), with a PReLU for
each position (He et al., arXiv 1502.01852) in place of ReLU6.
"""

from __future__ import annotations

from typing import Any

KERNELS = (3, 7, 11)
# Filters, expansion, stride of the first, number of blocks.
BLOCKS = ((32, 1, 1, 1), (64, 6, 2, 3), (96, 6, 2, 4), (160, 6, 2, 3), (320, 6, 1, 1))


def published_network(keras: Any, classes: int = 7, side: int = 48, rescale: bool = True) -> Any:
    """Build the network: gray faces `(n, side, side, 1)` to probabilities `(n, classes)`.

    Args:
        keras: Keras 3, or tf_keras, so that files of either era can be made.
        classes: of the output.
        side: of the input in pixels, at least 48.
        rescale: whether pixels are 0-255 and brought to [-1, 1] by the first layer; the
            program of 2019 scaled them outside.
    """
    layers = keras.layers
    image = layers.Input((side, side, 1))
    x = layers.Rescaling(1 / 127.5, offset=-1.0)(image) if rescale else image
    x = layers.Concatenate()([_bottleneck(layers, x, 48, side, 2, 3) for side in KERNELS])
    for filters, expansion, stride, repeats in BLOCKS:
        x = _bottleneck(layers, x, filters, 3, stride, expansion)
        for _ in range(repeats - 1):
            x = layers.Add()([x, _bottleneck(layers, x, filters, 3, 1, expansion)])
    x = _active(layers, layers.Conv2D(1280, 1, padding="same")(x))
    x = layers.AveragePooling2D(3)(x)
    x = layers.Flatten()(layers.Conv2D(classes, 1, padding="same")(x))
    # Half precision has too few digits for the loss; Keras 2 took a dtype as well.
    return keras.Model(image, layers.Softmax(dtype="float32")(x), name="published_network")


def _bottleneck(layers: Any, x: Any, filters: int, kernel: int, stride: int, expansion: int) -> Any:
    y = _active(layers, layers.Conv2D(x.shape[-1] * expansion, 1, padding="same")(x))
    y = _active(layers, layers.DepthwiseConv2D(kernel, strides=stride, padding="same")(y))
    return layers.BatchNormalization()(layers.Conv2D(filters, 1, padding="same")(y))


def _active(layers: Any, x: Any) -> Any:
    return layers.PReLU()(layers.BatchNormalization()(x))
