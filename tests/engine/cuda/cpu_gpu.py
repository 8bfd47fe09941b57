"""Runs the kernels on the CPU through the stand-in header."""

from __future__ import annotations

import ctypes
import re
import shutil
import subprocess
from pathlib import Path

import numpy as np

from fer_edge.engine.cuda.compile import SOURCES
from fer_edge.engine.cuda.launch import Launch

HEADER = Path(__file__).with_name("standin.h")
# -O1 is quick to compile, and contraction would round as neither NumPy nor a GPU does.
FLAGS = ("-std=c++17", "-O1", "-ffp-contract=off", "-shared", "-fPIC", "-Wall", "-Werror")
# Optimising what is watched takes the compiler four times as long.
SANITIZE = ("-O0", "-fsanitize=address,undefined", "-fno-sanitize-recover=all", "-g")


def compiler() -> str | None:
    return shutil.which("g++")


def kernel_text(source: str | None = None) -> tuple[str, list[str]]:
    """C++ of all kernels, and their names; or of a changed text of one source alone."""
    texts = [path.read_text() for path in SOURCES.values()] if source is None else [source]
    # What is not a kernel has the same names in several.
    parts = [
        f"namespace source_{number} {{\n{text}\n}}\nusing namespace source_{number};"
        for number, text in enumerate(texts)
    ]
    whole = "\n".join(parts)
    return whole, re.findall(r"__global__ void (\w+)\(", whole)


def build(folder: Path, source: str | None = None, sanitize: bool = False) -> Path:
    """Compile the kernels to a shared library; see `kernel_text`."""
    text, names = kernel_text(source)
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
