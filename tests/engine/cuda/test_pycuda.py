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

from fer_edge.engine.cuda.compile import SOURCE

from ...conftest import REPOSITORY

HERE = Path(__file__).parent
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
    text = (HERE / "driver.cpp").read_text()
    listed = subprocess.run(
        ["nm", "-D", "--undefined-only", extension], capture_output=True, text=True, check=True
    )
    called = set(re.findall(r" U (cu[A-Z]\w+)", listed.stdout))
    there = set(re.findall(r"\bint (cu[A-Z]\w+)\(", text)) | {"cuModuleGetFunction"}
    kernels = re.findall(r"__global__ void (\w+)\(", SOURCE.read_text())
    table = ", ".join(f'{{"{name}", &packed_{name}}}' for name in kernels)
    folder = tmp_path_factory.mktemp("driver")
    program = folder / "driver.cpp"
    program.write_text(
        "\n".join(
            [
                f'#include "{HERE / "driver.cpp"}"',
                SOURCE.read_text(),
                *(f"RUN_PACKED({name})" for name in kernels),
                f"KERNEL_TABLE({table})",
                *(f"MISSING({name})" for name in sorted(called - there)),
            ]
        )
    )
    subprocess.run(
        ["g++", "-std=c++17", "-O1", "-ffp-contract=off", "-shared", "-fPIC", str(program),
         "-Wl,-soname,libcuda.so.1", "-o", str(folder / "libcuda.so.1")], check=True,
    )  # fmt: skip
    return folder


def test_a_pipeline_runs_through_it(driver_folder: Path, tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "tests.engine.cuda.pycuda_pipeline", str(tmp_path)],
        cwd=REPOSITORY, env={**os.environ, "LD_LIBRARY_PATH": str(driver_folder)},
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert done.stdout == "8 frames with a face, as on the CPU\n"
    assert done.stderr == ""
