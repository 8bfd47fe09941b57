"""Engine files to engines that a GPU can run."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..cuda.gpu import GPU
from ..engine_file import Engine, check_runs_on
from ..errors import BadInput
from .buffers import Tensor, number_type
from .libraries import Library, load_runtime
from .log import open_log


@dataclass(frozen=True)
class LoadedEngine:
    """An engine in the GPU's memory. Its runtime and log have to live as long as it does.

    Attributes:
        library: that runs it.
        handle: the vendor's engine.
        runtime, log: the vendor's runtime, and what it says.
        tensors: inputs, then outputs.
    """

    library: Library
    handle: Any
    runtime: Any
    log: Any
    tensors: tuple[Tensor, ...]


def load_engine(path: Path, engine: Engine, gpu: GPU) -> LoadedEngine:
    """Load an engine into a GPU, whose context is current.

    Args:
        path: of the file, for messages.
        engine: what is in it.
        gpu: the GPU at hand.

    Raises:
        BackendUnavailable: its library is not installed.
        BadInput: another library or GPU, or an engine that the library refuses.
    """
    about = engine.engine
    library = load_runtime(about.target, about.version_compatible)
    check_runs_on(path, about, library.version, gpu.capability)
    trt = library.module
    log = open_log(trt)
    runtime = trt.Runtime(log)
    if about.version_compatible:
        # Such an engine brings code of its own. Its SHA-256 was right.
        runtime.engine_host_code_allowed = True
    handle = runtime.deserialize_cuda_engine(engine.payload)
    if handle is None:
        raise BadInput(
            f"{path}: {library.product} {library.version} cannot load it ({log.reason()}); "
            f"rebuild with {about.rebuild_command()}"
        )
    return LoadedEngine(library, handle, runtime, log, tensors_of(handle))


def tensors_of(engine: Any) -> tuple[Tensor, ...]:
    """What an engine takes and gives, inputs first.

    Raises:
        BadInput: a tensor of a type or shape that no model of fer-convert has.
    """
    found = []
    for index in range(engine.num_io_tensors):
        name = engine.get_tensor_name(index)
        found.append(
            Tensor(
                name,
                engine.get_tensor_mode(name).name == "INPUT",
                number_type(engine.get_tensor_dtype(name).name, name),
                tuple(engine.get_tensor_shape(name)),
            )
        )
    return tuple(sorted(found, key=lambda tensor: not tensor.is_input))
