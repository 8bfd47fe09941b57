"""The kernels under NVIDIA's compute-sanitizer, which sees every access outside its memory."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

from fer_edge.engine.cuda.gpu import present_gpu

from . import Skipped

TOOL = "compute-sanitizer"
FOUND = 86
CHECKED = ("kernels", "tracking")
SCRIPT = Path(__file__).parents[1] / "gpu_check.py"


def check(options: Any) -> dict[str, Any]:
    """Run the checks of kernels, in short, once under memcheck."""
    if present_gpu() is None:
        raise Skipped("no NVIDIA GPU or driver here")
    tool = shutil.which(TOOL) or shutil.which(TOOL, path="/usr/local/cuda/bin")
    if tool is None:
        raise Skipped(f"{TOOL} is not installed")
    return {"tool": tool, "said": {name: _said(tool, name, options) for name in CHECKED}}


def _said(tool: str, name: str, options: Any) -> str:
    done = subprocess.run(
        [
            tool, "--tool", "memcheck", "--error-exitcode", str(FOUND), sys.executable,
            str(SCRIPT), "--run", name, "--short", "--work", str(options.work),
        ],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    lines = [line for line in done.stdout.splitlines() if line.startswith("=========")]
    if done.returncode == FOUND:
        raise AssertionError(" ".join([f"{name}:", *lines[1:6]]))
    if done.returncode:
        raise RuntimeError(f"{TOOL} ended {name} with {done.returncode}: {done.stdout[-300:]}")
    return lines[-1] if lines else ""
