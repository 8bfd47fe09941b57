"""What the figures are measured on."""

from __future__ import annotations

import os
import platform
from importlib import metadata
from pathlib import Path
from typing import Any

from fer_edge.engine.cuda.gpu import present_gpu

LIBRARIES = (
    "numpy", "opencv-python-headless", "opencv-contrib-python-headless", "pycuda", "tensorrt",
    "tensorrt-rtx-cu12", "tensorrt-rtx-cu13", "onnxruntime", "onnxruntime-gpu", "torch",
    "cupy-cuda12x", "cupy-cuda13x", "lapx",
)  # fmt: skip


def check(options: Any) -> dict[str, Any]:
    """GPU, processor and libraries."""
    gpu = present_gpu()
    versions: dict[str, str | None] = {}
    for name in LIBRARIES:
        try:
            versions[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            versions[name] = None
    return {
        "gpu": gpu.name if gpu else None,
        "capability": gpu.capability if gpu else None,
        "driver": gpu.driver if gpu else None,
        "cpu": cpu_name(),
        "cores": os.cpu_count(),
        "python": platform.python_version(),
        "libraries": versions,
    }


def cpu_name() -> str:
    """The processor's name, as Linux has it."""
    path = Path("/proc/cpuinfo")
    lines = path.read_text(errors="replace").splitlines() if path.is_file() else []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.machine()
