"""Runs `kernels.cu` on the CPU through the stand-in header."""

from __future__ import annotations

import ctypes
import re
import shutil
import subprocess
from pathlib import Path

import numpy as np

from fer_edge.engine.cuda.compile import SOURCE
from fer_edge.engine.cuda.launch import Launch

HEADER = Path(__file__).with_name("standin.h")
# -O1 is quick to compile, and contraction would round as neither NumPy nor a GPU does.
FLAGS = ("-std=c++17", "-O1", "-ffp-contract=off", "-shared", "-fPIC", "-Wall", "-Werror")
SANITIZE = ("-fsanitize=address,undefined", "-fno-sanitize-recover=all", "-g")


def compiler() -> str | None:
    return shutil.which("g++")


def build(folder: Path, source: str | None = None, sanitize: bool = False) -> Path:
    """Compile the kernels (or a changed text of them) to a shared library."""
    text = SOURCE.read_text() if source is None else source
    names = re.findall(r"__global__ void (\w+)\(", text)
    runs = "\n".join(f"RUNNABLE({name})" for name in names)
    program = folder / "kernels.cpp"
    program.write_text(f'#include "{HEADER}"\n{text}\n{runs}\n')
    library = folder / "kernels.so"
    flags = (*FLAGS, *SANITIZE) if sanitize else FLAGS
    done = subprocess.run(
        ["g++", *flags, str(program), "-o", str(library)],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return library


class StandIn:
    """The library, loaded."""

    def __init__(self, library: Path) -> None:
        self._library = ctypes.CDLL(str(library))

    def run(self, launch: Launch) -> None:
        """Run every thread of a launch."""
        sizes = (ctypes.c_uint * 6)(*launch.grid, *launch.block)
        kept = [np.array(argument) for argument in launch.arguments]
        pointers = (ctypes.c_void_p * len(kept))(*(array.ctypes.data for array in kept))
        getattr(self._library, f"run_{launch.name}")(sizes, pointers)
