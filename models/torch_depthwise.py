"""Depthwise convolution with strides whose way back is fast on a CPU, for PyTorch.

oneDNN has no fast kernel for what such a convolution passes back to its inputs in bfloat16:
PyTorch 2.13 took 130 ms back through MobileNet's four, in a step of 380 (64 faces of 128x128, two
AMD EPYC cores). The same sums are a depthwise convolution without strides over slopes with zeros
between them (Dumoulin and Visin, arXiv 1603.07285, section 4.6), and so they take 36.
"""

from __future__ import annotations

from typing import Any

import torch
from torch.nn.functional import conv2d, pad
from torch.nn.grad import conv2d_weight


def depthwise_striding(maps: Any, kernel: Any, stride: int, same: bool) -> Any:
    """Maps `(n, c, h, w)` convolved with kernels `(c, 1, height, width)`.

    Args:
        maps: floating point.
        kernel: of the same dtype.
        stride: in both directions.
        same: whether zeros are put around so that a stride-th of each side remains, one more at
            the far side where their number is odd, as TensorFlow does; otherwise none are.
    """
    if same:
        far_first = zip(reversed(maps.shape[2:]), reversed(kernel.shape[2:]), strict=True)
        maps = pad(maps, [n for sides in far_first for n in _zeros_around(*sides, stride)])
    return _Striding.apply(maps, kernel, stride)


def _zeros_around(length: int, size: int, stride: int) -> tuple[int, int]:
    missing = max((-(-length // stride) - 1) * stride + size - length, 0)
    return missing // 2, missing - missing // 2


class _Striding(torch.autograd.Function):  # type: ignore[misc]
    @staticmethod
    def forward(context: Any, maps: Any, kernel: Any, stride: int) -> Any:
        context.save_for_backward(maps, kernel)
        context.stride = stride
        return conv2d(maps, kernel, stride=stride, groups=len(kernel))

    @staticmethod
    def backward(context: Any, slopes: Any) -> Any:
        maps, kernel = context.saved_tensors
        stride, channels = context.stride, len(kernel)
        of_kernel = conv2d_weight(maps, kernel.shape, slopes, stride, groups=channels)
        height, width = (size - 1 for size in kernel.shape[2:])
        between = torch.zeros_like(maps[:, :, height:, width:])
        between[:, :, ::stride, ::stride] = slopes
        of_maps = conv2d(between, kernel.flip(2, 3), padding=(height, width), groups=channels)
        return of_maps, of_kernel, None
