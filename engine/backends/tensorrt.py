"""Inference with TensorRT or TensorRT-RTX on an NVIDIA GPU."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np

from ..cuda.device import open_device
from ..engine_file import Engine
from ..tensorrt.buffers import batches_of
from ..tensorrt.execution import Execution
from ..tensorrt.find import find_engine
from ..tensorrt.loading import load_engine
from ..types import Floats
from .base import Backend
from .plan import Plan


class TensorRTBackend(Backend):
    """An engine on the GPU. `infer` copies to it and back; the GPU stages use `execution`.

    Attributes:
        execution: the engine at work.
        engine: how it was built.
    """

    def __init__(self, execution: Execution, engine: Engine) -> None:
        self.facts = engine.facts
        self.plan = Plan("tensorrt", "CUDA", engine.engine.precision)
        self.engine = engine.engine
        self.execution = execution

    @classmethod
    def open(cls, path: Path, plan: Plan | None = None) -> TensorRTBackend:
        """Load the engine at `path`, or one built from the ONNX file there; see `Backend.open`.

        An engine was built for one device and precision: the plan is not read.

        Raises:
            BackendUnavailable: no GPU, driver, PyCUDA or TensorRT.
            BadInput: another TensorRT or GPU, or a damaged file, and no ONNX file beside it.
            OutputNotWritable: an engine was built and cannot be kept.
        """
        device = open_device()
        place, engine = find_engine(path, device.gpu)
        with device.current():
            loaded = load_engine(place, engine, device.gpu)
            least, _, largest = engine.engine.batch
            execution = Execution(device, loaded, (least, largest))
            try:
                execution.warm_up()
            except BaseException:
                execution.close()
                raise
        return cls(execution, engine)

    def infer(self, inputs: Mapping[str, Floats]) -> dict[str, Floats]:
        """Run the network once, or in batches that the engine takes; see `Backend.infer`."""
        count = len(next(iter(inputs.values())))
        execution = self.execution
        parts: list[dict[str, Floats]] = []
        done = 0
        with execution.device.current():
            for things, batch in batches_of(count, execution.least, execution.largest):
                for name, array in inputs.items():
                    execution.give(name, array[done : done + things])
                execution.run(batch)
                parts.append(execution.results(batch, things))
                done += things
        return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}

    def close(self) -> None:
        """Give the GPU's memory back; may be called twice."""
        with self.execution.device.current():
            self.execution.close()
