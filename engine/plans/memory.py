"""Memory that was freed goes back to the system."""

from __future__ import annotations

import ctypes


def give_back() -> None:
    """Let the C library return what it keeps of freed memory; takes some milliseconds.

    Left to itself, glibc keeps tens of megabytes of a closed network for later. Other C
    libraries have no such call, and are left alone.
    """
    try:
        trim = ctypes.CDLL(None).malloc_trim
    except (OSError, AttributeError, TypeError):
        return
    trim(ctypes.c_size_t(0))
