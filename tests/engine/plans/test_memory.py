from __future__ import annotations

import ctypes
from pathlib import Path

import pytest

from fer_edge.engine.plans.memory import give_back

LIBC = ctypes.CDLL(None)
BLOCK, BLOCKS = 64 << 10, 1000

pytestmark = pytest.mark.skipif(not hasattr(LIBC, "malloc_trim"), reason="another C library")


def resident_kb() -> int:
    status = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in status if line.startswith("VmRSS:"))


def test_what_was_freed_goes_back_to_the_system() -> None:
    LIBC.malloc.restype = ctypes.c_void_p
    LIBC.free.argtypes = [ctypes.c_void_p]
    before = resident_kb()
    blocks = [LIBC.malloc(ctypes.c_size_t(BLOCK)) for _ in range(BLOCKS)]
    for block in blocks:
        ctypes.memset(block, 1, BLOCK)
    # The last one keeps glibc from giving back the others by itself.
    for block in blocks[:-1]:
        LIBC.free(block)
    kept = resident_kb()
    give_back()
    assert kept - before > BLOCK * BLOCKS / 1024 / 2
    assert resident_kb() - before < (kept - before) / 2
    LIBC.free(blocks[-1])
