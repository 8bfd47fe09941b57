"""The machine that a report is about."""

from __future__ import annotations

import os
import platform
from collections.abc import Iterable
from importlib import metadata
from pathlib import Path

from .gpu import first_gpu
from .records import Machine

LIBRARIES = (
    "numpy", "opencv-contrib-python-headless", "openvino", "onnxruntime", "tensorrt",
    "tensorrt-rtx-cu12", "tensorflow", "keras", "tf-keras",
)  # fmt: skip
# Of the many flags of a processor, those that decide how fast a network runs.
FEATURES = (
    "avx2", "avx512f", "avx512_vnni", "avx512_bf16", "avx512_fp16", "amx_bf16", "amx_int8",
    "asimddp", "sve", "i8mm", "bf16",
)  # fmt: skip


def this_machine() -> Machine:
    """Describe the machine that this process runs on."""
    cpuinfo = _read(Path("/proc/cpuinfo"))
    flags = set(_field(cpuinfo, ("flags", "Features")).split())
    return Machine(
        cpu=_field(cpuinfo, ("model name", "Model", "Hardware")) or platform.processor(),
        cores=len(os.sched_getaffinity(0)),
        features=[name for name in FEATURES if name in flags],
        memory_bytes=os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES"),
        os=f"{_os_name()}, Linux {platform.release().partition('-')[0]}",
        python=platform.python_version(),
        gpu=first_gpu(),
        libraries=dict(_installed(LIBRARIES)),
    )


def describe(machine: Machine) -> str:
    """The machine in one line."""
    features = f" ({', '.join(machine.features)})" if machine.features else ""
    parts = [
        machine.cpu + features,
        f"{machine.cores} core{'s' if machine.cores != 1 else ''}",
        f"{machine.memory_bytes / 2**30:.0f} GiB",
        machine.gpu or "no GPU",
        machine.os,
        f"Python {machine.python}",
    ]
    return ", ".join(parts)


def _installed(names: Iterable[str]) -> Iterable[tuple[str, str]]:
    for name in names:
        try:
            yield name, metadata.version(name)
        except metadata.PackageNotFoundError:
            continue


def _field(text: str, names: Iterable[str]) -> str:
    for name in names:
        for line in text.splitlines():
            key, _, value = line.partition(":")
            if key.strip() == name and value.strip():
                return " ".join(value.split())
    return ""


def _os_name() -> str:
    for line in _read(Path("/etc/os-release")).splitlines():
        key, _, value = line.partition("=")
        if key == "PRETTY_NAME":
            return value.strip().strip('"')
    return platform.system()


def _read(path: Path) -> str:
    return path.read_text(errors="replace") if path.is_file() else ""
