"""CUDA graphs: work that was queued once is queued again by one call.

PyCUDA has no graphs, so this asks the driver itself.
"""

from __future__ import annotations

import ctypes
from collections.abc import Callable
from typing import Any

# CUstreamCaptureMode: what other threads do stays allowed.
_THREAD_LOCAL = 1


class CaptureFailed(Exception):
    """The driver refuses to record what was queued; it can be queued as before."""


class Graph:
    """Recorded work of one stream. Launched in the context in which it was recorded."""

    def __init__(self, driver: Any, graph: ctypes.c_void_p) -> None:
        self._driver = driver
        self._executable = ctypes.c_void_p()
        try:
            _check(
                driver.cuGraphInstantiateWithFlags(
                    ctypes.byref(self._executable), graph, ctypes.c_ulonglong(0)
                )
            )
        finally:
            driver.cuGraphDestroy(graph)

    def launch(self, stream: Any) -> None:
        """Queue the work.

        Raises:
            CaptureFailed: the driver does not take it.
        """
        _check(self._driver.cuGraphLaunch(self._executable, ctypes.c_void_p(stream.handle)))

    def close(self) -> None:
        """Give its memory back; may be called twice."""
        executable, self._executable = self._executable, ctypes.c_void_p()
        if executable:
            self._driver.cuGraphExecDestroy(executable)


def capture(stream: Any, queue: Callable[[], None], library: str = "libcuda.so.1") -> Graph:
    """Record what `queue` queues on a stream, instead of doing it.

    Args:
        stream: of PyCUDA.
        queue: must neither wait nor allocate.
        library: the driver's.

    Raises:
        CaptureFailed: the driver is too old for graphs, or `queue` did what none may hold.
    """
    driver = _load(library)
    handle, graph = ctypes.c_void_p(stream.handle), ctypes.c_void_p()
    _check(driver.cuStreamBeginCapture_v2(handle, _THREAD_LOCAL))
    try:
        queue()
    finally:
        status = driver.cuStreamEndCapture(handle, ctypes.byref(graph))
    _check(status)
    return Graph(driver, graph)


def _load(library: str) -> Any:
    try:
        driver = ctypes.CDLL(library)
        # CUDA 11.4 is the first with all of them.
        for name in ("cuStreamBeginCapture_v2", "cuGraphInstantiateWithFlags", "cuGraphLaunch"):
            getattr(driver, name)
    except (OSError, AttributeError) as error:
        raise CaptureFailed(f"the driver has no graphs ({error})") from error
    return driver


def _check(status: int) -> None:
    if status:
        raise CaptureFailed(f"CUDA error {status}")
