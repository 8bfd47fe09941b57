"""Which kernel writes an engine's input."""

from __future__ import annotations

import numpy as np

from ..cuda.launch import Precision
from ..errors import BadInput
from ..model import ModelFacts
from ..tensorrt.buffers import Tensor


def kernel_precision(tensor: Tensor) -> Precision:
    """The precision in which a kernel writes an input.

    Raises:
        BadInput: no kernel writes such numbers.
    """
    if tensor.dtype == np.float32:
        return "fp32"
    if tensor.dtype == np.float16:
        return "fp16"
    raise BadInput(f"input {tensor.name} is {tensor.dtype}; kernels write float32 and float16")


def has_kernel(facts: ModelFacts) -> bool:
    """Whether a kernel makes the input that a model wants; see `frame_launch`, `faces_launch`."""
    see = facts.input
    if facts.kind == "detector":
        return see.channels == 3 and see.resize != "area"
    return see.colour == "gray" and see.resize == "area"
