"""Python under the address sanitizer."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest


def sanitized(script: str, library: Path) -> subprocess.CompletedProcess[str]:
    """Run a script whose argument is kernels compiled with it."""
    runtime = subprocess.run(
        ["g++", "-print-file-name=libasan.so"], capture_output=True, text=True, check=True
    ).stdout.strip()
    if not Path(runtime).is_absolute():
        pytest.skip("g++ comes without the address sanitizer")
    repository = Path(__file__).parents[3]
    environment = {**os.environ, "LD_PRELOAD": runtime, "ASAN_OPTIONS": "detect_leaks=0"}
    inherited = os.environ.get("PYTHONPATH")
    environment["PYTHONPATH"] = os.pathsep.join([str(repository), *filter(None, [inherited])])
    # Python's own allocator would hide where one array ends and the next begins.
    environment["PYTHONMALLOC"] = "malloc"
    return subprocess.run(
        [sys.executable, "-c", script, str(library)],
        env=environment, cwd=repository, capture_output=True, text=True, check=False,
    )  # fmt: skip
