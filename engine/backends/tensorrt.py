"""Inference with TensorRT or TensorRT-RTX on an NVIDIA GPU."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np

from ..cuda.device import Device, open_device
from ..engine_file import is_engine
from ..model import InputFacts, ModelFacts, read_facts
from ..tensorrt.buffers import batches_of
from ..tensorrt.execution import Execution
from ..tensorrt.find import check_builds, find_engine
from ..tensorrt.loading import load_engine
from ..types import Floats
from .base import Backend
from .plan import Plan
from .sizes import BySize


class TensorRTBackend(Backend):
    """An engine on the GPU; of an ONNX file whose size is open, one for each size asked for.

    `infer` copies to it and back; the GPU stages use `execution`.

    Args:
        gpu: where it is.
        facts: of the model.
        start: finds the engine for an input of a size, and starts it.

    Attributes:
        gpu: where it is.
    """

    def __init__(
        self, gpu: Device, facts: ModelFacts, start: Callable[[InputFacts], Execution]
    ) -> None:
        self.facts = facts
        self.plan = Plan("tensorrt", "CUDA", facts.precision)
        self.gpu = gpu
        self._started = BySize(start, close=self._stop)

    @classmethod
    def open(cls, path: Path, plan: Plan | None = None) -> TensorRTBackend:
        """Load the engine at `path`, or one built from the ONNX file there; see `Backend.open`.

        An engine was built for one device and precision: the plan is not read.

        Where the file leaves its size open, engines are built or loaded when they are asked for.

        Raises:
            BackendUnavailable: no GPU, driver, PyCUDA or TensorRT.
            BadInput: another TensorRT or GPU, or a damaged file, and no ONNX file beside it.
            OutputNotWritable: an engine was built and cannot be kept.
        """
        device = open_device()
        if not is_engine(path):
            facts = read_facts(path)
            if facts.input.step:
                check_builds(device.gpu)
                return cls(
                    device, facts, lambda see: _started(device, path, (see.width, see.height))[0]
                )
        execution, facts = _started(device, path)
        backend = cls(device, facts, lambda see: execution)
        # Now its own, to be closed with it.
        backend.execution()
        return backend

    def execution(self, see: InputFacts | None = None) -> Execution:
        """The engine at work, for an input of a size; it is built or loaded at its first use.

        Args:
            see: as `InputFacts.of_size` gives it; None for the model's own size.
        """
        return self._started(see or self.facts.input)

    def infer(self, inputs: Mapping[str, Floats]) -> dict[str, Floats]:
        """Run the network once, or in batches that the engine takes; see `Backend.infer`."""
        execution = self.execution(self._seen(inputs))
        count = len(next(iter(inputs.values())))
        parts: list[dict[str, Floats]] = []
        done = 0
        with self.gpu.current():
            for things, batch in batches_of(count, execution.least, execution.largest):
                for name, array in inputs.items():
                    execution.give(name, array[done : done + things])
                execution.run(batch)
                parts.append(execution.results(batch, things))
                done += things
        return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}

    def close(self) -> None:
        """Give the GPU's memory back; may be called twice."""
        self._started.clear()

    def _seen(self, inputs: Mapping[str, Floats]) -> InputFacts:
        """The input's facts, in the size that it has."""
        see = self.facts.input
        if not see.step:
            return see
        height, width = inputs[see.name].shape[2:]
        return see.of_size(width, height)

    def _stop(self, execution: Execution) -> None:
        with self.gpu.current():
            execution.close()


def _started(
    device: Device, path: Path, size: tuple[int, int] | None = None
) -> tuple[Execution, ModelFacts]:
    """The engine of a file, for a size where its own is open, at work; and its facts."""
    with device.current():
        place, engine = find_engine(path, device.gpu, size)
        loaded = load_engine(place, engine, device.gpu)
        least, _, largest = engine.engine.batch
        execution = Execution(device, loaded, (least, largest))
        try:
            execution.warm_up()
        except BaseException:
            execution.close()
            raise
    return execution, engine.facts
