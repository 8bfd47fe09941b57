"""The GPU path through the real PyCUDA, on a driver that runs everything on the CPU.

It holds how PyCUDA is called; the order of what is queued is held in tests/engine/gpu.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest

from ...conftest import REPOSITORY
from .cpu_driver import build_driver

pycuda = find_spec("pycuda")
pytestmark = [
    pytest.mark.skipif(pycuda is None, reason="PyCUDA is not installed: it needs CUDA's headers"),
    pytest.mark.skipif(shutil.which("g++") is None, reason="there is no g++"),
    pytest.mark.skipif(shutil.which("nm") is None, reason="there is no nm"),
]


@pytest.fixture(scope="module")
def driver_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a `libcuda.so.1` that needs no GPU."""
    assert pycuda is not None
    (extension,) = Path(str(pycuda.origin)).parent.glob("_driver*.so")
    listed = subprocess.run(
        ["nm", "-D", "--undefined-only", extension], capture_output=True, text=True, check=True
    )
    called = re.findall(r" U (cu[A-Z]\w+)", listed.stdout)
    return build_driver(tmp_path_factory.mktemp("driver"), called=called)


def test_a_pipeline_runs_through_it(driver_folder: Path, tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "tests.engine.cuda.pycuda_pipeline", str(tmp_path)],
        cwd=REPOSITORY, env={**os.environ, "LD_LIBRARY_PATH": str(driver_folder)},
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert done.stdout == "8 frames with a face, as on the CPU\n"
    assert done.stderr == ""
