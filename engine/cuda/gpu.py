"""The GPU at hand, asked through the driver's own libraries, which need no other package."""

from __future__ import annotations

import ctypes
from dataclasses import dataclass

# CUdevice_attribute of the driver API.
_CAPABILITY_MAJOR, _CAPABILITY_MINOR = 75, 76
_TEXT_BYTES = 256


@dataclass(frozen=True)
class GPU:
    """A GPU.

    Attributes:
        name: as the driver has it.
        capability: compute capability, as `8.9`.
        driver: version of the driver, as `580.65.06`, or of the CUDA that it speaks where it
            does not tell (`CUDA 13.0`).
    """

    name: str
    capability: str
    driver: str = ""


def present_gpu(library: str = "libcuda.so.1") -> GPU | None:
    """The first GPU that CUDA sees; None without one, or without a driver."""
    try:
        cuda = ctypes.CDLL(library)
    except OSError:
        return None
    device = ctypes.c_int()
    if cuda.cuInit(0) or cuda.cuDeviceGet(ctypes.byref(device), 0):
        return None
    name = ctypes.create_string_buffer(_TEXT_BYTES)
    if cuda.cuDeviceGetName(name, _TEXT_BYTES, device):
        return None
    numbers = []
    for attribute in (_CAPABILITY_MAJOR, _CAPABILITY_MINOR):
        value = ctypes.c_int()
        if cuda.cuDeviceGetAttribute(ctypes.byref(value), attribute, device):
            return None
        numbers.append(value.value)
    return GPU(
        name.value.decode(errors="replace"), f"{numbers[0]}.{numbers[1]}", _driver_version(cuda)
    )


def _driver_version(cuda: ctypes.CDLL) -> str:
    return _managed_version() or _spoken_version(cuda)


def _managed_version(library: str = "libnvidia-ml.so.1") -> str | None:
    """What NVML says; some Jetsons have none."""
    try:
        nvml = ctypes.CDLL(library)
    except OSError:
        return None
    if nvml.nvmlInit_v2():
        return None
    text = ctypes.create_string_buffer(_TEXT_BYTES)
    failed = nvml.nvmlSystemGetDriverVersion(text, _TEXT_BYTES)
    nvml.nvmlShutdown()
    return None if failed else text.value.decode(errors="replace")


def _spoken_version(cuda: ctypes.CDLL) -> str:
    value = ctypes.c_int()
    if cuda.cuDriverGetVersion(ctypes.byref(value)):
        return ""
    return f"CUDA {value.value // 1000}.{value.value % 1000 // 10}"
