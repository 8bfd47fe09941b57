"""What instruction set the networks run with: the processor's own, or less by request.

oneDNN, which computes in OpenVINO and in TensorFlow, takes its cap from `ONEDNN_MAX_CPU_ISA`
when it is first used. It says nothing about OpenCV's and NumPy's code, which goes on with
what the processor has.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from pathlib import Path

from fer_edge.engine.errors import BadInput

VARIABLE = "ONEDNN_MAX_CPU_ISA"
CAPS = {"avx2": "AVX2", "avx512": "AVX512_CORE", "vnni": "AVX512_CORE_VNNI"}
# Of what decides how fast a network runs, the least first: a name, and the processor's flag.
LEVELS = (
    ("avx2", "avx2"),
    ("avx2-vnni", "avx_vnni"),
    ("avx512", "avx512f"),
    ("vnni", "avx512_vnni"),
    ("bf16", "avx512_bf16"),
    ("amx", "amx_int8"),
)


def capped(words: Sequence[str], isa: str) -> None:
    """Go on in a process that has the cap from its start on; returns where this one has it.

    Args:
        words: of `fer-bench`'s command line, which the process is given again.
        isa: a key of `CAPS`.
    """
    if os.environ.get(VARIABLE) == CAPS[isa]:
        return
    os.environ[VARIABLE] = CAPS[isa]
    sys.stdout.flush()
    sys.stderr.flush()
    command = [sys.executable, "-m", "fer_edge.benchmarks.cli", *words]
    os.execv(sys.executable, command)


def check_isa(isa: str, flags: frozenset[str] | None = None) -> None:
    """See that the processor has what it is to be capped to.

    Raises:
        BadInput: the processor has less than that.
    """
    there = processor_flags() if flags is None else flags
    if dict(LEVELS)[isa] not in there:
        best = highest(there) or "none of them"
        raise BadInput(
            f"--isa {isa}: this processor has no {dict(LEVELS)[isa]} (its best is {best}); a cap "
            "takes away, it adds nothing"
        )


def instruction_set(flags: frozenset[str] | None = None) -> str:
    """The instruction set in use: `amx`, or `avx2, by a cap` and the like; empty elsewhere."""
    best = highest(processor_flags() if flags is None else flags)
    cap = os.environ.get(VARIABLE, "")
    names = [name for name, _ in LEVELS]
    limit = next((name for name, value in CAPS.items() if value == cap.upper()), None)
    if not best or not cap or (limit in names and names.index(limit) >= names.index(best)):
        return best
    return f"{limit or cap}, capped from {best}"


def highest(flags: frozenset[str]) -> str:
    """The best level of a processor with these flags; empty without one of `LEVELS`."""
    return next((name for name, flag in reversed(LEVELS) if flag in flags), "")


def processor_flags() -> frozenset[str]:
    """The flags of /proc/cpuinfo; empty where there are none."""
    path = Path("/proc/cpuinfo")
    text = path.read_text(errors="replace") if path.is_file() else ""
    line = next((line for line in text.splitlines() if line.startswith("flags")), "")
    return frozenset(line.partition(":")[2].split())
