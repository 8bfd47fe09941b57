"""Builds a `libcuda.so.1` that needs no GPU out of `driver.cpp` and the kernels."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Collection
from pathlib import Path

from .cpu_gpu import kernel_text

DRIVER = Path(__file__).with_name("driver.cpp")
FLAGS = ("-std=c++17", "-O2", "-ffp-contract=off", "-shared", "-fPIC", "-Wl,-soname,libcuda.so.1")


def build_driver(folder: Path, source: str | None = None, called: Collection[str] = ()) -> Path:
    """Build it.

    Args:
        folder: to put it into.
        source: of the kernels; None for all real ones.
        called: functions of the driver that somebody links to.

    Returns:
        The folder, for `LD_LIBRARY_PATH`.
    """
    text, kernels = kernel_text(source)
    there = set(re.findall(r"\bint (cu[A-Z]\w+)\(", DRIVER.read_text()))
    table = ", ".join(f'{{"{name}", &packed_{name}}}' for name in kernels)
    lines = [
        f'#include "{DRIVER}"',
        text,
        *(f"RUN_PACKED({name})" for name in kernels),
        f"KERNEL_TABLE({table})",
        *(f"MISSING({name})" for name in sorted(set(called) - there)),
    ]
    program = folder / "driver.cpp"
    program.write_text("\n".join(lines) + "\n")
    library = str(folder / "libcuda.so.1")
    subprocess.run(["g++", *FLAGS, str(program), "-o", library], check=True)
    return folder
