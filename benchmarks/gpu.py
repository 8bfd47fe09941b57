"""GPU memory, clocks and power through NVML, where the machine and `nvidia-ml-py` are there."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from .records import GpuUse

SAMPLE_EVERY_S = 0.1


def first_gpu() -> str | None:
    """Name and driver of the first GPU; None without NVML or a GPU."""
    with _nvml() as nvml:
        if nvml is None:
            return None
        handle = nvml.nvmlDeviceGetHandleByIndex(0)
        name, driver = nvml.nvmlDeviceGetName(handle), nvml.nvmlSystemGetDriverVersion()
        return f"{_text(name)}, driver {_text(driver)}"


class GpuWatch:
    """Samples the first GPU ten times a second in a thread; nothing where there is none.

    A context manager; `use` holds the result after it.
    """

    def __init__(self) -> None:
        self.use: GpuUse | None = None
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._watch, name="nvml", daemon=True)

    def __enter__(self) -> GpuWatch:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def stop(self) -> None:
        """End the sampling; may be called twice."""
        self._stopped.set()
        self._thread.join()

    def _watch(self) -> None:
        with _nvml() as nvml:
            if nvml is None:
                return
            handle = nvml.nvmlDeviceGetHandleByIndex(0)
            memory: list[int] = []
            clocks: list[float] = []
            powers: list[float] = []
            while not self._stopped.wait(SAMPLE_EVERY_S) or not memory:
                memory.append(nvml.nvmlDeviceGetMemoryInfo(handle).used)
                clocks.append(nvml.nvmlDeviceGetClockInfo(handle, nvml.NVML_CLOCK_SM) * 1e6)
                powers.append(nvml.nvmlDeviceGetPowerUsage(handle) / 1e3)
            self.use = GpuUse(
                name=_text(nvml.nvmlDeviceGetName(handle)),
                memory_bytes=max(memory),
                clock_hz=sum(clocks) / len(clocks),
                power_w=sum(powers) / len(powers),
            )


@contextmanager
def _nvml() -> Iterator[Any]:
    """The `pynvml` module, initialised; None where it or a driver is missing."""
    try:
        import pynvml

        pynvml.nvmlInit()
    except ImportError:
        yield None
        return
    except pynvml.NVMLError:
        yield None
        return
    try:
        yield pynvml if pynvml.nvmlDeviceGetCount() else None
    finally:
        pynvml.nvmlShutdown()


def _text(name: bytes | str) -> str:
    # Older bindings answer in bytes.
    return name.decode() if isinstance(name, bytes) else name
