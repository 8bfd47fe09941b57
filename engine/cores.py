"""The cores that this process may use."""

from __future__ import annotations

import os
from pathlib import Path

_TOPOLOGY = "/sys/devices/system/cpu/cpu{}/topology/thread_siblings_list"


def cores() -> int:
    """Logical cores that this process may use."""
    return len(_affinity())


def physical_cores() -> int:
    """Of these, those that share no physical core with another one."""
    siblings = set()
    for core in _affinity():
        try:
            siblings.add(Path(_TOPOLOGY.format(core)).read_text().strip())
        except OSError:
            return cores()
    return len(siblings)


def _affinity() -> set[int]:
    if hasattr(os, "sched_getaffinity"):
        return os.sched_getaffinity(0)
    return set(range(os.cpu_count() or 1))
