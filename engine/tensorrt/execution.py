"""An engine at work: fixed addresses, one execution context, and nothing allocated in a run."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from ..cuda.device import Device
from ..cuda.graph import CaptureFailed, Graph, capture
from ..errors import BackendUnavailable, BadInput
from ..types import Floats
from .buffers import Block, Tensor, block_of
from .loading import LoadedEngine

_NOTHING: npt.NDArray[np.uint8] = np.empty(0, np.uint8)


class Execution:
    """Runs one engine. Used by one thread at a time, inside `with device.current()`.

    Attributes:
        device: the GPU.
        product: that runs the engine, for reports.
        stream: on which it works.
        least, largest: batch.
        graphs: whether runs are replayed as CUDA graphs; TensorRT-RTX has its own.

    Args:
        device: whose context is current.
        engine: to run.
        batch: least and largest.
        graphs: whether to record runs.

    Raises:
        BackendUnavailable: the GPU's memory does not suffice.
    """

    def __init__(
        self, device: Device, engine: LoadedEngine, batch: tuple[int, int], graphs: bool = True
    ) -> None:
        self.device = device
        self.product = engine.library.product
        self.least, self.largest = batch
        self.graphs = graphs and engine.library.records_graphs
        self._engine = engine
        self._recorded: dict[int, Graph] = {}
        self._batch: int | None = None
        self._inputs = block_of(tuple(t for t in engine.tensors if t.is_input), self.largest)
        self._outputs = block_of(tuple(t for t in engine.tensors if not t.is_input), self.largest)
        self._context = engine.library.new_context(engine.handle)
        if self._context is None:
            raise BackendUnavailable(
                f"{device.gpu.name}: {engine.library.product} cannot prepare the engine "
                f"({engine.log.reason()}); is its memory full?"
            )
        self.stream: Any = device.stream()
        self._memory = [_memory(device, block) for block in (self._inputs, self._outputs)]
        self._given = device.pinned(max(self._inputs.size, 1))
        self._taken = device.pinned(max(self._outputs.size, 1))
        for block, memory in zip((self._inputs, self._outputs), self._memory, strict=True):
            for tensor, offset in zip(block.tensors, block.offsets, strict=True):
                self._context.set_tensor_address(tensor.name, int(memory) + offset)

    def input(self, name: str) -> tuple[int, Tensor]:
        """The address of an input, and what belongs there.

        Raises:
            BadInput: there is no such input.
        """
        at = self._inputs.index(name)
        return int(self._memory[0]) + self._inputs.offsets[at], self._inputs.tensors[at]

    def warm_up(self) -> None:
        """Run every batch once and record it: a first run allocates, later ones do not."""
        self._given[:] = 0
        self.device.upload(int(self._memory[0]), self._given, self.stream)
        for batch in range(self.least, self.largest + 1):
            self.run(batch)
            self.stream.synchronize()
            if self.graphs:
                self._record(batch)

    def give(self, name: str, array: Floats) -> None:
        """Queue the upload of an input `(n, ...)`; waits for what was queued before."""
        self.stream.synchronize()
        at = self._inputs.index(name)
        view = self._inputs.view(self._given, name, len(array))
        np.copyto(view, array, casting="same_kind")
        size = self._inputs.tensors[at].bytes_of(len(array))
        offset = self._inputs.offsets[at]
        self.device.upload(
            int(self._memory[0]) + offset, self._given[offset : offset + size], self.stream
        )

    def run(self, batch: int) -> None:
        """Queue the network, and one copy of all its outputs.

        Raises:
            BadInput: a batch outside the engine's, or the vendor's library fails.
        """
        if not self.least <= batch <= self.largest:
            raise BadInput(f"a batch of {batch}; the engine takes {self.least} to {self.largest}")
        if batch in self._recorded:
            self._recorded[batch].launch(self.stream)
        else:
            self._queue(batch)

    def results(self, batch: int, count: int) -> dict[str, Floats]:
        """Wait for the run and return the first `count` rows of its outputs, as float32 copies."""
        self.stream.synchronize()
        found = {}
        for tensor in self._outputs.tensors:
            rows: npt.NDArray[Any] = self._outputs.view(self._taken, tensor.name, batch)
            open_batch = tensor.shape[:1] == (-1,)
            found[tensor.name] = np.array(rows[:count] if open_batch else rows, np.float32)
        return found

    def close(self) -> None:
        """Give all memory back; may be called twice."""
        if self._context is None:
            return
        self.stream.synchronize()
        for graph in self._recorded.values():
            graph.close()
        self._recorded = {}
        self._context = None
        for memory in self._memory:
            memory.free()
        # While the context is current, as PyCUDA wants it.
        self._memory, self._given, self._taken = [], _NOTHING, _NOTHING
        self.stream = None

    def _queue(self, batch: int) -> None:
        if batch != self._batch:
            for tensor in self._inputs.tensors:
                if tensor.shape[:1] == (-1,):
                    self._context.set_input_shape(tensor.name, tensor.shape_of(batch))
            self._batch = batch
        if not self._context.execute_async_v3(self.stream.handle):
            raise BadInput(f"{self._engine.library.product} failed: {self._engine.log.reason()}")
        self.device.download(self._taken, int(self._memory[1]), self.stream)

    def _record(self, batch: int) -> None:
        """Record a batch that has just run, so that nothing is left to be set up."""
        try:
            self._recorded[batch] = capture(self.stream, lambda: self._queue(batch))
        except (CaptureFailed, BadInput):
            # Queued call by call, then: slower and as right.
            self.graphs = False


def _memory(device: Device, block: Block) -> Any:
    return device.memory(max(block.size, 1))
