"""A GPU without a GPU: `pycuda.driver` and `tensorrt` as far as the runtime uses them.

Kernels are the real text, compiled for the CPU; networks run in ONNX Runtime, on the memory
whose addresses they were given. Streams are queues of their own. A lazy GPU does nothing until
somebody waits, and then only what that one waits for; an eager one does everything at once. Work
that is ordered by events as it must be gives the same on both, and every misuse that CUDA leaves
undefined (foreign addresses, unpinned memory, use after free) fails here.
"""

from __future__ import annotations

import ctypes
import itertools
import re
from collections import deque
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import numpy as np

from fer_edge.engine.cuda.launch import Launch

from .cuda.cpu_gpu import StandIn

Work = Callable[[], None]


class CUDAError(Exception):
    pass


class Marker:
    """A place in a stream that has or has not been reached."""

    def __init__(self, stream: Stream) -> None:
        self.stream = stream
        self.reached = False

    def reach(self) -> None:
        while not self.reached:
            self.stream.step()


class Stream:
    def __init__(self, driver: Driver, flags: int) -> None:
        self.driver = driver
        self.handle = next(driver.handles)
        self.queue: deque[Work] = deque()
        self.recording: list[Work] | None = None
        assert flags == 1, "the default stream would be waited for"
        driver.streams[self.handle] = self

    def add(self, work: Work) -> None:
        if self.recording is not None:
            self.recording.append(work)
            return
        self.queue.append(work)
        if not self.driver.lazy:
            self.synchronize()

    def step(self) -> None:
        self.queue.popleft()()

    def synchronize(self) -> None:
        self.driver.require_context()
        assert self.recording is None, "waiting while recording"
        while self.queue:
            self.step()

    def wait_for_event(self, event: Event) -> None:
        self.driver.require_context()
        self.driver.log.append(("wait", self.handle))
        if event.marker is not None:
            self.add(event.marker.reach)


class Event:
    def __init__(self, driver: Driver, flags: int) -> None:
        self.driver = driver
        self.marker: Marker | None = None

    def record(self, stream: Stream) -> None:
        self.driver.require_context()
        marker = self.marker = Marker(stream)
        stream.add(lambda: setattr(marker, "reached", True))

    def synchronize(self) -> None:
        if self.marker is not None:
            self.marker.reach()


class Memory:
    def __init__(self, driver: Driver, size: int) -> None:
        assert size > 0
        self.driver = driver
        self.bytes = np.full(size, 0xAB, np.uint8)
        driver.memories.append(self)

    def __int__(self) -> int:
        return self.bytes.ctypes.data

    def free(self) -> None:
        self.driver.require_context()
        self.driver.memories.remove(self)
        self.bytes[:] = 0xCD


class Driver:
    """The module `pycuda.driver`."""

    Error = CUDAError
    event_flags = SimpleNamespace(DISABLE_TIMING=2)

    def __init__(self, kernels: StandIn, lazy: bool) -> None:
        self.kernels = kernels
        self.lazy = lazy
        self.log: list[tuple[Any, ...]] = []
        self.handles = itertools.count(0x1000, 16)
        self.streams: dict[int, Stream] = {}
        self.memories: list[Memory] = []
        self.pinned: list[np.ndarray] = []
        self.depth = 0
        self.Context = SimpleNamespace(pop=self._pop)

    # The module's functions and classes, by their names there.

    def init(self) -> None:
        pass

    def Device(self, number: int) -> Any:  # noqa: N802
        assert number == 0
        context = SimpleNamespace(push=self._push, detach=lambda: None)
        return SimpleNamespace(retain_primary_context=lambda: context)

    def Stream(self, flags: int = 0) -> Stream:  # noqa: N802
        self.require_context()
        return Stream(self, flags)

    def Event(self, flags: int = 0) -> Event:  # noqa: N802
        self.require_context()
        return Event(self, flags)

    def mem_alloc(self, size: int) -> Memory:
        self.require_context()
        self.log.append(("allocate", size))
        return Memory(self, size)

    def pagelocked_empty(self, shape: int, dtype: Any) -> np.ndarray:
        self.require_context()
        self.log.append(("pin", shape))
        array = np.full(shape, 0xEF, dtype)
        self.pinned.append(array)
        return array

    def memcpy_htod_async(self, dest: int, src: np.ndarray, stream: Stream) -> None:
        self._check(dest, src)
        self.log.append(("upload", src.nbytes, stream.handle))
        stream.add(lambda: self._move(dest, src.ctypes.data, src.nbytes, dest))

    def memcpy_dtoh_async(self, dest: np.ndarray, src: int, stream: Stream) -> None:
        self._check(src, dest)
        self.log.append(("download", dest.nbytes, stream.handle))
        stream.add(lambda: self._move(dest.ctypes.data, src, dest.nbytes, src))

    def memcpy_dtod_async(self, dest: int, src: int, size: int, stream: Stream) -> None:
        self.require_context()
        assert self.holds(dest, size)
        assert self.holds(src, size)
        self.log.append(("copy", size, stream.handle))

        def copy() -> None:
            assert self.holds(src, size), "freed before it was copied"
            self._move(dest, src, size, dest)

        stream.add(copy)

    def module_from_buffer(self, text: bytes) -> Any:
        self.require_context()
        found = re.match(rb"// (\w+)\.cu SHA-256 ", text)
        assert found
        assert text.endswith(b"\0")
        known = re.findall(r"\.entry (\w+)\(", text.decode().rstrip("\0"))
        self.log.append(("load", found[1].decode()))

        def function(name: str) -> Any:
            assert name in known, f"{name} is in another module"
            return self._function(name)

        return SimpleNamespace(get_function=function)

    # What stands behind them.

    def require_context(self) -> None:
        assert self.depth > 0, "no context is current"

    def holds(self, address: int, size: int) -> bool:
        return any(
            int(memory) <= address and address + size <= int(memory) + memory.bytes.size
            for memory in self.memories
        )

    def count(self, kind: str) -> int:
        return sum(entry[0] == kind for entry in self.log)

    def _push(self) -> None:
        self.depth += 1

    def _pop(self) -> None:
        self.require_context()
        self.depth -= 1

    def _check(self, address: int, array: np.ndarray) -> None:
        self.require_context()
        assert isinstance(address, int)
        assert self.holds(address, array.nbytes), "not the GPU's memory"
        assert array.flags.c_contiguous
        assert any(np.may_share_memory(array, pinned) for pinned in self.pinned), "not pinned"

    def _move(self, to: int, source: int, size: int, on_gpu: int) -> None:
        assert self.holds(on_gpu, size), "freed before it was copied"
        ctypes.memmove(to, source, size)

    def _function(self, name: str) -> Any:
        def launch(*arguments: Any, grid: Any, block: Any, stream: Stream) -> None:
            self.require_context()
            self.log.append(("launch", name, stream.handle))
            work = Launch(name, grid, block, arguments)
            stream.add(lambda: self.kernels.run(work))

        return launch


class Graph:
    """Stands in for `cuda.graph.Graph`."""

    def __init__(self, driver: Driver, work: list[Work]) -> None:
        self.driver = driver
        self.work = work
        self.closed = False

    def launch(self, stream: Stream) -> None:
        assert not self.closed
        self.driver.log.append(("replay", stream.handle))
        for work in self.work:
            stream.add(work)

    def close(self) -> None:
        self.closed = True


def capture(stream: Stream, queue: Work) -> Graph:
    """Stands in for `cuda.graph.capture`."""
    stream.recording = []
    try:
        queue()
    finally:
        work, stream.recording = stream.recording, None
    return Graph(stream.driver, work)


VERSION = "10.9.0.34"
_NAMES = {"tensor(float)": "FLOAT", "tensor(float16)": "HALF", "tensor(int64)": "INT64"}


def with_size(onnx_bytes: bytes, shape: tuple[int, ...]) -> bytes:
    """An ONNX file whose one input has this shape; -1 stays open."""
    import onnx

    model = onnx.load_from_string(onnx_bytes)
    axes = model.graph.input[0].type.tensor_type.shape.dim
    for axis, length in zip(axes, shape, strict=True):
        if length != -1:
            axis.dim_value = length
    return bytes(model.SerializeToString())


def tensorrt(driver: Driver) -> Any:
    """The module `tensorrt`, for engines whose bytes are an ONNX file."""

    class ILogger:
        ERROR, INTERNAL_ERROR = 1, 0

        def __init__(self) -> None:
            pass

    class Runtime:
        def __init__(self, log: Any) -> None:
            self.log_of_runtime = log

        def deserialize_cuda_engine(self, data: bytes) -> Any:
            driver.require_context()
            if data.startswith(b"refused"):
                self.log_of_runtime.log(ILogger.ERROR, "the plan is\nof no use")
                return None
            return Engine(driver, data)

    class Builder:
        """Changes nothing but the shape of the input."""

        def __init__(self, log: Any) -> None:
            self.create_network = Network
            self.create_builder_config = SimpleNamespace

        def build_serialized_network(self, network: Network, config: Any) -> bytes:
            driver.log.append(("build", network.image.shape))
            return with_size(network.onnx, network.image.shape)

    return SimpleNamespace(
        __version__=VERSION, ILogger=ILogger, Runtime=Runtime, Builder=Builder,
        OnnxParser=OnnxParser, NetworkDefinitionCreationFlag=SimpleNamespace(STRONGLY_TYPED=1),
        ProfilingVerbosity=SimpleNamespace(DETAILED=2),
        LayerInformationFormat=SimpleNamespace(JSON=1),
    )  # fmt: skip


class Network:
    """A network as it was parsed; its layers are not told."""

    num_layers = 0

    def __init__(self, flags: int) -> None:
        assert flags == 1 << 1, "not strongly typed"
        self.onnx = b""
        self.image: Any = None

    def get_input(self, index: int) -> Any:
        assert index == 0
        return self.image


class OnnxParser:
    def __init__(self, network: Network, log: Any) -> None:
        self.network = network

    def parse(self, data: bytes) -> bool:
        import onnx

        (image,) = onnx.load_from_string(data).graph.input
        axes = image.type.tensor_type.shape.dim
        shape = tuple(-1 if axis.dim_param else axis.dim_value for axis in axes)
        self.network.onnx = data
        self.network.image = SimpleNamespace(name=image.name, shape=shape)
        return True


class Engine:
    def __init__(self, driver: Driver, onnx: bytes) -> None:
        import onnxruntime

        self.driver = driver
        options = onnxruntime.SessionOptions()
        options.log_severity_level = 3
        # Threads of its own would spin between runs.
        options.intra_op_num_threads = 1
        self.session = onnxruntime.InferenceSession(
            onnx, options, providers=["CPUExecutionProvider"]
        )
        self.inputs = {value.name: value for value in self.session.get_inputs()}
        self.tensors = {**self.inputs, **{v.name: v for v in self.session.get_outputs()}}
        self.num_io_tensors = len(self.tensors)

    def get_tensor_name(self, index: int) -> str:
        # Outputs first: the order is not promised.
        return list(reversed(self.tensors))[index]

    def get_tensor_mode(self, name: str) -> Any:
        return SimpleNamespace(name="INPUT" if name in self.inputs else "OUTPUT")

    def get_tensor_dtype(self, name: str) -> Any:
        return SimpleNamespace(name=_NAMES[self.tensors[name].type])

    def get_tensor_shape(self, name: str) -> tuple[int, ...]:
        shape = self.tensors[name].shape
        return tuple(-1 if isinstance(length, str | None) else length for length in shape)

    def create_engine_inspector(self) -> Any:
        return SimpleNamespace(get_engine_information=lambda kind: "{}")

    def create_execution_context(self) -> Context:
        self.driver.log.append(("allocate", "context"))
        return Context(self)


class Context:
    def __init__(self, engine: Engine) -> None:
        self.engine = engine
        self.addresses: dict[str, int] = {}
        self.shapes: dict[str, tuple[int, ...]] = {}

    def set_tensor_address(self, name: str, address: int) -> bool:
        self.addresses[name] = address
        return True

    def set_input_shape(self, name: str, shape: tuple[int, ...]) -> bool:
        self.shapes[name] = tuple(shape)
        return True

    def execute_async_v3(self, handle: int) -> bool:
        driver, session = self.engine.driver, self.engine.session
        driver.require_context()
        shapes = {
            name: self.shapes.get(name, self.engine.get_tensor_shape(name))
            for name in self.engine.inputs
        }
        assert all(length > 0 for shape in shapes.values() for length in shape)

        def work() -> None:
            feed = {name: self._array(name, shape) for name, shape in shapes.items()}
            names = [name for name in self.engine.tensors if name not in self.engine.inputs]
            for name, value in zip(names, session.run(names, feed), strict=True):
                self._array(name, value.shape)[...] = value

        driver.log.append(("execute", shapes, handle))
        driver.streams[handle].add(work)
        return True

    def _array(self, name: str, shape: tuple[int, ...]) -> np.ndarray:
        kind = np.float16 if self.engine.get_tensor_dtype(name).name == "HALF" else np.float32
        size = int(np.prod(shape)) * np.dtype(kind).itemsize
        address = self.addresses[name]
        assert self.engine.driver.holds(address, size), f"{name} is outside the GPU's memory"
        memory = (ctypes.c_uint8 * size).from_address(address)
        return np.frombuffer(memory, kind).reshape(shape)
