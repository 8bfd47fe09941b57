"""The GPU through PyCUDA: context, streams, events, memory and kernels.

The context is the device's primary one, which TensorRT uses as well. A process has one
`Device`; what is allocated on it belongs to who allocates it.
"""

from __future__ import annotations

import atexit
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module
from typing import Any

import numpy as np
import numpy.typing as npt

from ..errors import BackendUnavailable
from .gpu import GPU, present_gpu
from .launch import Launch
from .shipped import ptx_for

INSTALL_PYCUDA = "pip install pycuda (it is compiled, and needs g++ and CUDA's headers)"
# CU_STREAM_NON_BLOCKING: the default stream, which others may use, is not waited for.
_NON_BLOCKING = 1


class Device:
    """A GPU that is ready to compute.

    Everything but `current` wants to be called inside `with device.current()`, which any
    thread may do. Streams, events and pinned memory go when the last reference to them does,
    and that has to be there, too.

    Attributes:
        gpu: what it is.

    Args:
        driver: the module `pycuda.driver`, initialised.
        gpu: what the driver says of device 0.
    """

    def __init__(self, driver: Any, gpu: GPU) -> None:
        self.gpu = gpu
        self._driver = driver
        self._context = driver.Device(0).retain_primary_context()
        # By source.
        self._modules: dict[str, Any] = {}
        self._functions: dict[str, Any] = {}
        self._loading = threading.Lock()

    @contextmanager
    def current(self) -> Iterator[None]:
        """Make the context this thread's own for a while."""
        self._context.push()
        try:
            yield
        finally:
            self._driver.Context.pop()

    def stream(self) -> Any:
        """A stream: what is queued on it happens in order, beside other streams."""
        return self._driver.Stream(_NON_BLOCKING)

    def event(self, timing: bool = False) -> Any:
        """An event, which marks a place in a stream.

        Args:
            timing: whether it can be asked for times; a little slower.
        """
        flags = self._driver.event_flags
        return self._driver.Event(0 if timing else flags.DISABLE_TIMING)

    def memory(self, size: int) -> Any:
        """GPU memory of `size` bytes; `int()` of it is its address, `free()` gives it back."""
        return self._driver.mem_alloc(size)

    def pinned(self, size: int) -> npt.NDArray[np.uint8]:
        """`size` bytes of this machine's memory, which the GPU copies from and to by itself."""
        return self._driver.pagelocked_empty(size, np.uint8)

    def upload(self, address: int, array: npt.NDArray[Any], stream: Any) -> None:
        """Queue a copy to the GPU of a contiguous array in pinned memory."""
        self._driver.memcpy_htod_async(address, array, stream)

    def download(self, array: npt.NDArray[Any], address: int, stream: Any) -> None:
        """Queue a copy from the GPU into a contiguous array in pinned memory."""
        self._driver.memcpy_dtoh_async(array, address, stream)

    def copy(self, to: int, address: int, size: int, stream: Any) -> None:
        """Queue a copy of `size` bytes inside the GPU."""
        self._driver.memcpy_dtod_async(to, address, size, stream)

    def launch(self, launch: Launch, stream: Any) -> None:
        """Queue a kernel."""
        function = self._functions.get(launch.name) or self._function(launch)
        function(*launch.arguments, grid=launch.grid, block=launch.block, stream=stream)

    def load(self, source: str = "kernels") -> None:
        """Let the driver compile the kernels of a source now, not at their first launch."""
        with self._loading:
            if source not in self._modules:
                text = ptx_for(source, self.gpu.capability).read_bytes()
                # The driver reads up to the zero.
                self._modules[source] = self._driver.module_from_buffer(text + b"\0")

    def close(self) -> None:
        """Let the context go; may be called twice."""
        if self._context is None:
            return
        with self.current():
            self._functions, self._modules = {}, {}
        # Told to: left to itself, PyCUDA takes it for a context of its own making.
        self._context.detach()
        self._context = None

    def _function(self, launch: Launch) -> Any:
        self.load(launch.source)
        self._functions[launch.name] = self._modules[launch.source].get_function(launch.name)
        return self._functions[launch.name]


_opened: Device | None = None


def open_device() -> Device:
    """The process's GPU; opened at the first call.

    Raises:
        BackendUnavailable: no GPU, no driver or no PyCUDA.
    """
    global _opened  # noqa: PLW0603 - there is one primary context in a process
    if _opened is None:
        gpu = present_gpu()
        if gpu is None:
            raise BackendUnavailable(
                "no NVIDIA GPU or driver here: take --backend openvino or onnxruntime"
            )
        try:
            driver = import_module("pycuda.driver")
        except ImportError as error:
            raise BackendUnavailable(
                f"PyCUDA is not installed, or of no use here ({error}): {INSTALL_PYCUDA}"
            ) from error
        try:
            driver.init()
            _opened = Device(driver, gpu)
        except driver.Error as error:
            raise BackendUnavailable(f"{gpu.name}: CUDA does not start ({error})") from error
        atexit.register(_opened.close)
    return _opened
