"""What of a machine decides which plan is the quickest on it."""

from __future__ import annotations

import os
import platform
from importlib import metadata
from pathlib import Path
from typing import Any

from ..cores import cores, physical_cores

_CPUINFO = Path("/proc/cpuinfo")
# Folders in which accelerators appear when they and their drivers are there.
_ACCELERATORS = (Path("/dev/dri"), Path("/dev/accel"))
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
        "accelerators": sorted(path.name for folder in _ACCELERATORS for path in _inside(folder)),
        "libraries": {name: _version(name) for name in _LIBRARIES},
        "environment": {name: os.environ.get(name, "") for name in _VARIABLES},
    }


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


def _inside(folder: Path) -> list[Path]:
    try:
        return list(folder.iterdir())
    except OSError:
        return []


def _version(name: str) -> str:
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return ""
