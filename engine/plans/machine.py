"""What of a machine decides which plan is the quickest on it."""

from __future__ import annotations

import os
import platform
from importlib import metadata
from pathlib import Path
from typing import Any

from ..cores import cores, physical_cores

_CPUINFO = Path("/proc/cpuinfo")
_LIBRARIES = ("fer-edge", "openvino", "onnxruntime", "onnxruntime-gpu", "numpy")
# They cap the instructions that are used.
_VARIABLES = ("ONEDNN_MAX_CPU_ISA", "DNNL_MAX_CPU_ISA", "OMP_NUM_THREADS")


def machine() -> dict[str, Any]:
    """Everything by name, as JSON has it; read in about a millisecond."""
    name, flags = _processor()
    return {
        "processor": name,
        "flags": flags,
        "cores": cores(),
        "physical": physical_cores(),
        "accelerators": _accelerators(),
        "libraries": {name: _version(name) for name in _LIBRARIES},
        "environment": {name: os.environ.get(name, "") for name in _VARIABLES},
    }


def is_busy() -> bool:
    """Whether other work took more than half of the cores in the last minute."""
    try:
        return os.getloadavg()[0] > cores() / 2
    except (AttributeError, OSError):  # not told everywhere
        return False


def _processor() -> tuple[str, str]:
    """Its name, and the flags of its instruction sets in alphabetical order."""
    found: dict[str, str] = {}
    try:
        for line in _CPUINFO.read_text(errors="replace").splitlines():
            name, _, value = line.partition(":")
            found.setdefault(name.strip(), value.strip())
    except OSError:
        return platform.processor(), ""
    # x86 says the name and flags; ARM says numbers and Features.
    name = found.get("model name") or " ".join(
        found.get(word, "") for word in ("CPU implementer", "CPU part", "CPU variant")
    )
    flags = found.get("flags") or found.get("Features", "")
    return name.strip() or platform.processor(), " ".join(sorted(flags.split()))


def _accelerators() -> list[str]:
    """The names of GPUs and NPUs among the devices."""
    found = [*Path("/dev").glob("dri/*"), *Path("/dev").glob("accel/*")]
    return sorted(path.name for path in [*found, *Path("/dev").glob("nvidia[0-9]*")])


def _version(name: str) -> str:
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return ""
