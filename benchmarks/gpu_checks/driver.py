"""The CUDA driver through ctypes, for checks that need no more than its own library."""

from __future__ import annotations

import ctypes
from collections.abc import Callable
from ctypes import byref, c_char_p, c_float, c_int, c_size_t, c_uint64, c_void_p
from typing import Any

import numpy as np

from fer_edge.engine.cuda.gpu import GPU, present_gpu
from fer_edge.engine.cuda.launch import Launch
from fer_edge.engine.cuda.shipped import ptx_for

from . import Skipped

# CU_LAUNCH_PARAM_BUFFER_POINTER, CU_LAUNCH_PARAM_BUFFER_SIZE.
_POINTER, _SIZE = c_void_p(1), c_void_p(2)
# Long enough for a host to queue some dozens of launches behind it.
_BLOCKER_BYTES = 256 << 20
_BLOCKER_COPIES = 8


class CudaError(RuntimeError):
    """A call of the driver failed."""


class Cuda:
    """A context on the first GPU, a stream, and the product's kernels."""

    def __init__(self) -> None:
        gpu = present_gpu()
        if gpu is None:
            raise Skipped("no NVIDIA GPU or driver here")
        self.gpu: GPU = gpu
        self._cuda = ctypes.CDLL("libcuda.so.1")
        context, stream = c_void_p(), c_void_p()
        self._call("cuDevicePrimaryCtxRetain", byref(context), c_int(0))
        self._call("cuCtxPushCurrent_v2", context)
        self._call("cuStreamCreate", byref(stream), 1)
        self._stream = stream
        self._modules: dict[str, c_void_p] = {}
        self._functions: dict[str, c_void_p] = {}
        self._blocker: int | None = None

    def memory(self, size: int) -> int:
        """GPU memory, which lives as long as the process; its address."""
        address = c_uint64()
        self._call("cuMemAlloc_v2", byref(address), c_size_t(size))
        return address.value

    def free(self, address: int) -> None:
        """Give memory back."""
        self._call("cuMemFree_v2", c_uint64(address))

    def upload(self, array: np.ndarray, address: int | None = None) -> int:
        """Copy an array to the GPU, and return where it is."""
        array = np.ascontiguousarray(array)
        place = self.memory(array.nbytes) if address is None else address
        source = c_void_p(array.ctypes.data)
        self._call(
            "cuMemcpyHtoDAsync_v2", c_uint64(place), source, c_size_t(array.nbytes), self._stream
        )
        self.wait()
        return place

    def download(self, array: np.ndarray, address: int) -> None:
        """Copy from the GPU into an array."""
        target = c_void_p(array.ctypes.data)
        self._call(
            "cuMemcpyDtoHAsync_v2", target, c_uint64(address), c_size_t(array.nbytes), self._stream
        )
        self.wait()

    def copy(self, to: int, source: int, size: int) -> None:
        """Queue a copy inside the GPU."""
        self._call(
            "cuMemcpyDtoDAsync_v2", c_uint64(to), c_uint64(source), c_size_t(size), self._stream
        )

    def launch(self, launch: Launch) -> None:
        """Queue a kernel."""
        function = self._functions.get(launch.name)
        if function is None:
            function = c_void_p()
            name = launch.name.encode()
            module = self._module(launch.source)
            self._call("cuModuleGetFunction", byref(function), module, c_char_p(name))
            self._functions[launch.name] = function
        packed = pack(launch.arguments)
        size = c_size_t(len(packed))
        buffer = ctypes.create_string_buffer(packed, len(packed))
        extra = (c_void_p * 5)(
            _POINTER, ctypes.cast(buffer, c_void_p), _SIZE, ctypes.cast(byref(size), c_void_p), None
        )
        self._call(
            "cuLaunchKernel", function, *launch.grid, *launch.block, 0, self._stream, None, extra
        )

    def wait(self) -> None:
        """Wait until all is done that was queued."""
        self._call("cuStreamSynchronize", self._stream)

    def seconds(self, queue: Callable[[], None], times: int = 20, rounds: int = 15) -> float:
        """Median GPU time of what `queue` queues.

        `times` of them are queued behind a copy that keeps the GPU busy meanwhile, so that the
        host's own time is not in it. The first round warms up and is left out.
        """
        begin, end = self._event(), self._event()
        found = []
        for _ in range(rounds + 1):
            self._block()
            self._call("cuEventRecord", begin, self._stream)
            for _ in range(times):
                queue()
            self._call("cuEventRecord", end, self._stream)
            self._call("cuEventSynchronize", end)
            elapsed = c_float()
            self._call(self._elapsed_name(), byref(elapsed), begin, end)
            found.append(elapsed.value / 1e3 / times)
        return float(np.median(found[1:]))

    def _module(self, source: str) -> c_void_p:
        if source not in self._modules:
            module, text = c_void_p(), ptx_for(source, self.gpu.capability).read_bytes()
            self._call("cuModuleLoadDataEx", byref(module), c_char_p(text), 0, None, None)
            self._modules[source] = module
        return self._modules[source]

    def _elapsed_name(self) -> str:
        # The newer one came with CUDA 12.8.
        newer = "cuEventElapsedTime_v2"
        return newer if hasattr(self._cuda, newer) else "cuEventElapsedTime"

    def _event(self) -> c_void_p:
        event = c_void_p()
        self._call("cuEventCreate", byref(event), 0)
        return event

    def _block(self) -> None:
        if self._blocker is None:
            self._blocker = self.memory(2 * _BLOCKER_BYTES)
        for _ in range(_BLOCKER_COPIES):
            self.copy(self._blocker, self._blocker + _BLOCKER_BYTES, _BLOCKER_BYTES)

    def _call(self, name: str, *arguments: Any) -> None:
        status = getattr(self._cuda, name)(*arguments)
        if status:
            text = c_char_p()
            self._cuda.cuGetErrorString(status, byref(text))
            said = (text.value or b"unknown error").decode()
            raise CudaError(f"{name} failed: {said} ({status})")


def pack(arguments: tuple[Any, ...]) -> bytes:
    """Arguments of a kernel in one buffer, each aligned to its own size."""
    data = b""
    for argument in arguments:
        size = argument.dtype.itemsize
        data += bytes(-len(data) % size) + argument.tobytes()
    return data
