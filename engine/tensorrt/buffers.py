"""Where an engine's tensors lie: all inputs in one block of memory, all outputs in another.

One block of outputs comes back in one copy. Blocks are as large as the largest batch needs and
never move, so that what was recorded with their addresses stays right.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import prod

import numpy as np
import numpy.typing as npt

from ..errors import BadInput

# What CUDA aligns its own allocations to, and TensorRT wants of a tensor.
ALIGNMENT = 256
_NUMBERS: dict[str, np.dtype[np.generic]] = {
    "FLOAT": np.dtype(np.float32),
    "HALF": np.dtype(np.float16),
    "INT32": np.dtype(np.int32),
    "INT64": np.dtype(np.int64),
}


@dataclass(frozen=True)
class Tensor:
    """An input or output of an engine.

    Attributes:
        name: in the network.
        is_input: which of the two.
        dtype: of its numbers.
        shape: an open batch is -1, and the first.
    """

    name: str
    is_input: bool
    dtype: np.dtype[np.generic]
    shape: tuple[int, ...]

    def __post_init__(self) -> None:
        if any(length < 1 for length in self.shape[1:]) or (self.shape and self.shape[0] < -1):
            raise BadInput(f"tensor {self.name} has shape {self.shape}; only a batch may be open")

    def shape_of(self, batch: int) -> tuple[int, ...]:
        """Its shape for a batch; that of a fixed tensor is what it is."""
        return (batch, *self.shape[1:]) if self.shape and self.shape[0] == -1 else self.shape

    def bytes_of(self, batch: int) -> int:
        """How long it is."""
        return prod(self.shape_of(batch)) * self.dtype.itemsize


def number_type(name: str, tensor: str) -> np.dtype[np.generic]:
    """NumPy's type for the name of one of TensorRT's, as `HALF`.

    Raises:
        BadInput: a tensor of a type that no model of fer-convert has.
    """
    if name not in _NUMBERS:
        raise BadInput(f"tensor {tensor} is {name}; {', '.join(_NUMBERS)} can be read")
    return _NUMBERS[name]


@dataclass(frozen=True)
class Block:
    """Tensors one behind the other.

    Attributes:
        tensors: in their order.
        offsets: of each, in bytes from the beginning.
        size: of the whole, in bytes.
        largest: batch that fits.
    """

    tensors: tuple[Tensor, ...]
    offsets: tuple[int, ...]
    size: int
    largest: int

    def offset(self, name: str) -> int:
        """Where a tensor begins.

        Raises:
            BadInput: it is not in this block.
        """
        return self.offsets[self.index(name)]

    def index(self, name: str) -> int:
        """Which one a tensor is; see `offset`."""
        for index, tensor in enumerate(self.tensors):
            if tensor.name == name:
                return index
        names = ", ".join(tensor.name for tensor in self.tensors)
        raise BadInput(f"the engine has no tensor {name!r}; it has {names}")

    def view(self, memory: npt.NDArray[np.uint8], name: str, batch: int) -> npt.NDArray[np.generic]:
        """A tensor of a batch in memory of the block's size, without a copy."""
        at = self.index(name)
        tensor = self.tensors[at]
        part = memory[self.offsets[at] : self.offsets[at] + tensor.bytes_of(batch)]
        return part.view(tensor.dtype).reshape(tensor.shape_of(batch))


def block_of(tensors: tuple[Tensor, ...], largest: int) -> Block:
    """Lay tensors out for batches of up to `largest`."""
    offsets, end = [], 0
    for tensor in tensors:
        offsets.append(end)
        end += -(-tensor.bytes_of(largest) // ALIGNMENT) * ALIGNMENT
    return Block(tensors, tuple(offsets), end, largest)


def batches_of(count: int, least: int, largest: int) -> list[tuple[int, int]]:
    """Divide `count` things into batches that an engine takes.

    Returns:
        (things, batch) in their order; a batch is larger where the engine takes no fewer.
    """
    parts = [min(largest, count - start) for start in range(0, count, largest)]
    return [(part, max(part, least)) for part in parts]
