"""TensorRT in its versions: everything that differs between them is here.

| version | typed by | other GPUs | timing cache | CUDA graphs |
| --- | --- | --- | --- | --- |
| TensorRT 8.6 | builder flags, obeyed where the graph says so | no | yes | ours |
| TensorRT 10 | the graph (a flag asks for it) | no | yes | ours |
| TensorRT 11 | the graph, always | no | yes | ours |
| TensorRT-RTX 1 | the graph (a flag asks for it) | by list | no-op | its own |
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from importlib import import_module
from importlib.util import find_spec
from typing import Any

from ..cuda.gpu import GPU
from ..engine_file import PRODUCTS, Target
from ..errors import BackendUnavailable, BadInput

# Module, and how it is installed; in the order in which the runtime looks for one.
LIBRARIES: dict[Target, tuple[str, str]] = {
    "tensorrt": ("tensorrt", "install NVIDIA's TensorRT for this machine"),
    "tensorrt-rtx": ("tensorrt_rtx", "pip install 'fer-edge[tensorrt-rtx]'"),
}
LEAN_MODULE = "tensorrt_lean"
LEAST_VERSION = {"tensorrt": (8, 6), "tensorrt-rtx": (1, 0)}


@dataclass(frozen=True)
class Library:
    """An imported TensorRT.

    Attributes:
        target: which of the two products.
        module: the Python module.
        version: as `1.7.1.116`.
    """

    target: Target
    module: Any
    version: str

    @property
    def product(self) -> str:
        """Its name for people."""
        return PRODUCTS[self.target]

    @property
    def strongly_typed(self) -> bool:
        """Whether the types in the graph are the types of the engine."""
        return self.target == "tensorrt-rtx" or int(self.version.split(".")[0]) >= 10

    def network_flags(self) -> int:
        """Flags for `Builder.create_network`."""
        flags = self.module.NetworkDefinitionCreationFlag
        names = ["STRONGLY_TYPED"] if self.strongly_typed else ["EXPLICIT_BATCH"]
        # What a version always does it no longer has a flag for.
        return sum(1 << int(getattr(flags, name)) for name in names if hasattr(flags, name))

    def set_types(self, config: Any, precision: str) -> None:
        """Allow half precision where a version wants to be told, and keep it to the graph."""
        if self.strongly_typed:
            return
        flag = self.module.BuilderFlag
        if precision in ("fp16", "int8"):
            config.set_flag(flag.FP16)
        if precision == "int8":
            config.set_flag(flag.INT8)
        config.set_flag(flag.OBEY_PRECISION_CONSTRAINTS)

    def set_capabilities(self, config: Any, capabilities: tuple[str, ...]) -> None:
        """Name the GPUs to build for; none for the one at hand.

        Raises:
            BadInput: the library does not build for one of them.
        """
        if self.target != "tensorrt-rtx":
            return
        known = self._capabilities
        names = [_member(value) for value in capabilities] or ["CURRENT"]
        if missing := [name for name in names if name not in known]:
            raise BadInput(
                f"{self.product} {self.version} does not build for "
                f"{', '.join(name[2:] for name in missing)}; it builds for {self._builds_for()}"
            )
        config.num_compute_capabilities = len(names)
        for index, name in enumerate(names):
            config.set_compute_capability(known[name], index)

    def check_gpu(self, gpu: GPU) -> None:
        """Make sure that engines run on a GPU: TensorRT-RTX builds them for any, and then
        cannot load those for a GPU that it does not know.

        Raises:
            BackendUnavailable: they do not.
        """
        if self.target != "tensorrt-rtx":
            return
        if _member(gpu.capability) not in self._capabilities:
            raise BackendUnavailable(
                f"{self.product} {self.version} does not run on {gpu.name}, SM {gpu.capability}, "
                f"only on {self._builds_for()}: {LIBRARIES['tensorrt'][1]}"
            )

    @property
    def _capabilities(self) -> Mapping[str, Any]:
        """TensorRT-RTX's enumeration of GPUs, by name."""
        members: Mapping[str, Any] = self.module.ComputeCapability.__members__
        return members

    def _builds_for(self) -> str:
        return ", ".join(name[2:] for name in self._capabilities if name.startswith("SM"))

    @property
    def records_graphs(self) -> bool:
        """Whether runs may be recorded; TensorRT-RTX compiles kernels while it runs."""
        return self.target != "tensorrt-rtx"

    def new_context(self, engine: Any) -> Any:
        """An execution context of an engine; None where the GPU's memory does not suffice."""
        if self.records_graphs or not hasattr(engine, "create_runtime_config"):
            return engine.create_execution_context()
        config = engine.create_runtime_config()
        # It records by itself, once the kernels for a shape are compiled.
        config.cuda_graph_strategy = self.module.CudaGraphStrategy.WHOLE_GRAPH_CAPTURE
        return engine.create_execution_context(config)


def _member(capability: str) -> str:
    """The name of a compute capability, as `8.6`, in TensorRT-RTX's enumeration."""
    return f"SM{capability.replace('.', '')}"


def load_library(target: Target) -> Library:
    """Import a TensorRT that builds and runs.

    Raises:
        BackendUnavailable: it is not installed, or too old.
    """
    name, install = LIBRARIES[target]
    return _library(target, name, install)


def load_runtime(target: Target, version_compatible: bool = False) -> Library:
    """Import a TensorRT that runs engines.

    Args:
        target: of the engine.
        version_compatible: whether the lean runtime, which cannot build, will do as well.

    Raises:
        BackendUnavailable: it is not installed, or too old.
    """
    try:
        return load_library(target)
    except BackendUnavailable:
        if not version_compatible or find_spec(LEAN_MODULE) is None:
            raise
        return _library(target, LEAN_MODULE, "pip install tensorrt-lean-cu12")


def _library(target: Target, name: str, install: str) -> Library:
    product = PRODUCTS[target]
    try:
        module = import_module(name)
    except (ImportError, OSError) as error:
        raise BackendUnavailable(f"{product} is not installed: {install}") from error
    version = str(module.__version__)
    least = LEAST_VERSION[target]
    if tuple(int(part) for part in version.split(".")[:2]) < least:
        raise BackendUnavailable(f"{product} {version} is too old; {least[0]}.{least[1]} is needed")
    return Library(target, module, version)
