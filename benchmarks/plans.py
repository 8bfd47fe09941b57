"""What computes a figure, in words: back end, device, precision, threads, instruction set."""

from __future__ import annotations

from fer_edge.engine.backends import Backend

from .isa import instruction_set


def plan_of(backend: Backend) -> str:
    """The execution plan of an open model, as `openvino, CPU, bf16, 2 threads, amx`."""
    plan = backend.plan
    words = [plan.describe()]
    if plan.device == "CPU":
        # The library takes what it thinks best, which it does not always say.
        words += [] if plan.threads else ["threads left to the library"]
        words += [name] if (name := instruction_set()) else []
    return ", ".join(words)
