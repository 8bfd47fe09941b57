"""The GPU at hand, asked through the driver, which needs no other package."""

from __future__ import annotations

import ctypes
from dataclasses import dataclass

# CUdevice_attribute of the driver API.
_CAPABILITY_MAJOR, _CAPABILITY_MINOR = 75, 76
_NAME_BYTES = 256


@dataclass(frozen=True)
class GPU:
    """A GPU.

    Attributes:
        name: as the driver has it.
        capability: compute capability, as `8.9`.
    """

    name: str
    capability: str


def present_gpu(library: str = "libcuda.so.1") -> GPU | None:
    """The first GPU that CUDA sees; None without one, or without a driver."""
    try:
        driver = ctypes.CDLL(library)
    except OSError:
        return None
    device = ctypes.c_int()
    if driver.cuInit(0) or driver.cuDeviceGet(ctypes.byref(device), 0):
        return None
    name = ctypes.create_string_buffer(_NAME_BYTES)
    if driver.cuDeviceGetName(name, _NAME_BYTES, device):
        return None
    numbers = []
    for attribute in (_CAPABILITY_MAJOR, _CAPABILITY_MINOR):
        value = ctypes.c_int()
        if driver.cuDeviceGetAttribute(ctypes.byref(value), attribute, device):
            return None
        numbers.append(value.value)
    return GPU(name.value.decode(errors="replace"), f"{numbers[0]}.{numbers[1]}")
