"""What `gpu_check.py` checks, one check a module, each in a process of its own."""

from __future__ import annotations

from dataclasses import dataclass


class Skipped(Exception):
    """A check that cannot be made here; the message says why."""


@dataclass(frozen=True)
class Check:
    """One check.

    Attributes:
        name: its module in this package, whose `check(options)` returns facts by name, or
            raises `Skipped` or whatever went wrong.
        limit_s: after which it is given up.
        purpose: in a few words.
        measures: whether it only measures, and is no proof that something works.
    """

    name: str
    limit_s: float
    purpose: str
    measures: bool = False


MACHINE = Check("machine", 60, "what the figures are measured on", measures=True)
# In order: what later ones need comes first, and what matters most before what takes long.
CHECKS = (
    Check("kernels", 90, "kernels on the GPU against NumPy"),
    Check("ceilings", 60, "what copies and matrix products reach", measures=True),
    Check("tracking", 90, "the tracker on the GPU against the CPU's"),
    Check("kernel_times", 60, "times of the kernels", measures=True),
    Check("uploads", 60, "frames, streams and kernels through PyCUDA"),
    Check("engines", 180, "TensorRT engines, built and loaded"),
    Check("parity", 90, "engines on the GPU against the CPU"),
    Check("sizes", 90, "engines for the sizes that frames ask for"),
    Check("provider", 60, "ONNX Runtime's CUDA provider against the CPU"),
    Check("stages", 60, "times of the stages", measures=True),
    Check("pipeline", 90, "frames a second of the whole pipeline", measures=True),
    Check("sanitizer", 90, "kernels under compute-sanitizer"),
)
