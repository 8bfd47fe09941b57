"""The devices that the installed libraries find on this machine."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

# The names of OpenVINO's capabilities that are precisions of ours.
_PRECISIONS = {"FP32": "fp32", "BF16": "bf16", "FP16": "fp16", "INT8": "int8"}
# Chooses among the others by itself.
AUTO = "AUTO"


@dataclass(frozen=True)
class Device:
    """What a library can compute on.

    Attributes:
        backend: the library, a key of `BACKENDS`.
        name: of the device, in the library's words.
        title: what it is, for people; may be empty.
        precisions: that it computes in, in the order of `_PRECISIONS`.
    """

    backend: str
    name: str
    title: str
    precisions: tuple[str, ...]

    def describe(self) -> str:
        """One line for people."""
        words = [self.name, self.title] if self.title else [self.name]
        return f"{' '.join(words)} ({', '.join(self.precisions)})"


def find_devices(backends: Sequence[str]) -> tuple[Device, ...]:
    """Every device of some installed backends, those of TensorRT left out."""
    finders = {"openvino": openvino_devices, "onnxruntime": onnxruntime_devices}
    return tuple(device for name in backends if name in finders for device in finders[name]())


def openvino_devices() -> tuple[Device, ...]:
    """The devices of OpenVINO: CPUs, Intel's GPUs and NPUs, and its own choice among them."""
    import openvino

    core = openvino.Core()
    found = []
    for name in (*core.available_devices, AUTO):
        try:
            able = core.get_property(name, "OPTIMIZATION_CAPABILITIES")
            title = "" if name == AUTO else core.get_property(name, "FULL_DEVICE_NAME")
        except Exception:  # a plugin whose driver is missing raises errors of many kinds
            continue
        precisions = tuple(ours for theirs, ours in _PRECISIONS.items() if theirs in able)
        found.append(Device("openvino", name, str(title).strip(), precisions))
    return tuple(found)


def onnxruntime_devices() -> tuple[Device, ...]:
    """The devices of ONNX Runtime: the CPU, and CUDA where it was built for it."""
    import onnxruntime

    precisions = ("fp32", "int8")
    cpu = Device("onnxruntime", "CPU", "", precisions)
    if "CUDAExecutionProvider" in onnxruntime.get_available_providers():
        return (Device("onnxruntime", "CUDA", "", precisions), cpu)
    return (cpu,)
