"""What computes a figure, in words: back end, precision, device, threads, instruction set."""

from __future__ import annotations

import os

from fer_edge.engine.backends import Backend

from .isa import instruction_set


def plan_of(backend: Backend) -> str:
    """The execution plan of an open model, as `OpenVINO bf16 on CPU, 2 threads, amx`."""
    words = [f"{_name(backend)} {backend.precision} on {backend.device}"]
    if backend.device == "CPU":
        words += [f"{threads} thread" + "s" * (threads != 1)] if (threads := _threads()) else []
        words += [name] if (name := instruction_set()) else []
    return ", ".join(words)


def _name(backend: Backend) -> str:
    return type(backend).__name__.removesuffix("Backend")


def _threads() -> int:
    return len(os.sched_getaffinity(0))
