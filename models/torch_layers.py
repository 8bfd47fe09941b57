"""Keras' layers on PyTorch as fast as PyTorch has them.

Keras 3.15 makes batch normalisation out of single operations in float32, and copies the
maps of every convolution and pooling into channels-first order and back. PyTorch has one
kernel for the former and takes channels-last maps as they are; its pooling needs no padded
copy. Together they doubled the images a second of the residual network on two CPU cores with
AMX. For depthwise convolutions see `torch_depthwise.py`, with which MobileNet sees 1.3 times as
many on two cores without AMX.
"""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from typing import Any


def use_fast_layers() -> None:
    """Replace them in the running interpreter, on the `torch` back end.

    Values stay the same but for rounding, and for the moving variance, which PyTorch
    estimates without bias. Where another version of Keras is built differently, the part in
    question stays as it is.
    """
    from keras.layers import BatchNormalization, MaxPooling2D

    for kind, fast in ((BatchNormalization, _normalising_or), (MaxPooling2D, _pooling_or)):
        if not getattr(kind.call, "is_fast", False):
            kind.call = fast(kind.call)
            kind.call.is_fast = True
    internals = import_module("keras.src.backend.torch.nn")
    copying = getattr(internals, "_transpose_spatial_inputs", None)
    if copying is not None and copying is not _seen_channels_first:
        setattr(internals, "_transpose_spatial_inputs", _seen_channels_first)  # noqa: B010
    depthwise = getattr(internals, "depthwise_conv", None)
    if depthwise is not None and not getattr(depthwise, "is_fast", False):
        setattr(internals, "depthwise_conv", _striding_or(depthwise))  # noqa: B010


def _normalising_or(slow: Callable[..., Any]) -> Callable[..., Any]:
    """`BatchNormalization.call`: PyTorch's where the channels are last, else Keras' own."""

    def call(layer: Any, inputs: Any, training: bool | None = None, mask: Any = None) -> Any:
        if mask is None and layer.axis in (-1, inputs.ndim - 1) and inputs.ndim in (2, 4):
            return _normalise(layer, inputs, bool(training and layer.trainable))
        return slow(layer, inputs, training=training, mask=mask)

    return call


def _pooling_or(slow: Callable[..., Any]) -> Callable[..., Any]:
    """`MaxPooling2D.call`: without a padded copy where all padding is on the far sides."""

    def call(layer: Any, inputs: Any) -> Any:
        from torch.nn.functional import max_pool2d

        size, strides = layer.pool_size, layer.strides
        sides = zip(inputs.shape[1:3], size, strides, strict=True)
        far = layer.padding == "same" and all(n % s == 0 and k - s in (0, 1) for n, k, s in sides)
        if not far or layer.data_format != "channels_last":
            return slow(layer, inputs)
        pooled = max_pool2d(_channels_last(inputs), size, strides, ceil_mode=True)
        return pooled.permute(0, 2, 3, 1)

    return call


def _striding_or(slow: Callable[..., Any]) -> Callable[..., Any]:
    """Keras' depthwise convolution: the fast one where it strides over maps on a CPU."""

    def depthwise_conv(
        inputs: Any,
        kernel: Any,
        strides: Any = 1,
        padding: str = "valid",
        data_format: str | None = None,
        dilation_rate: Any = 1,
    ) -> Any:
        from keras.ops import convert_to_tensor

        maps, weights = convert_to_tensor(inputs), convert_to_tensor(kernel)
        steps = set(strides) if isinstance(strides, tuple) else {strides}
        plain = weights.shape[-1] == 1 and dilation_rate in (1, (1, 1))
        flat = maps.ndim == 4 and data_format == "channels_last" and maps.device.type == "cpu"
        if steps == {1} or len(steps) > 1 or not (plain and flat):
            return slow(inputs, kernel, strides, padding, data_format, dilation_rate)
        from .torch_depthwise import depthwise_striding

        by_channel = weights.permute(2, 3, 0, 1)
        seen = depthwise_striding(_channels_last(maps), by_channel, steps.pop(), padding == "same")
        return seen.permute(0, 2, 3, 1)

    depthwise_conv.is_fast = True  # type: ignore[attr-defined]
    return depthwise_conv


def _seen_channels_first(maps: Any) -> Any:
    """In place of Keras' copy: `(n, ..., c)` seen as `(n, c, ...)`."""
    if maps.ndim == 4:
        return _channels_last(maps)
    return maps.movedim(-1, 1).contiguous()


def _channels_last(maps: Any) -> Any:
    """Maps `(n, h, w, c)` seen as `(n, c, h, w)`, in memory as they were."""
    import torch

    return maps.permute(0, 3, 1, 2).contiguous(memory_format=torch.channels_last)


def _normalise(layer: Any, inputs: Any, learns: bool) -> Any:
    """Batch normalisation of maps `(n, h, w, c)` or rows `(n, c)`."""
    from torch.nn.functional import batch_norm

    maps = _channels_last(inputs) if inputs.ndim == 4 else inputs
    normalised = batch_norm(
        maps,
        layer.moving_mean.value,
        layer.moving_variance.value,
        layer.gamma.value if layer.scale else None,
        layer.beta.value if layer.center else None,
        learns,
        1 - layer.momentum,
        layer.epsilon,
    )
    return normalised.permute(0, 2, 3, 1) if inputs.ndim == 4 else normalised
