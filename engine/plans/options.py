"""What a user may say about how models run."""

from __future__ import annotations

import os
from dataclasses import asdict, dataclass
from typing import Any

from ..backends import BACKENDS
from ..errors import BackendUnavailable, BadInput

PRECISIONS = ("fp32", "bf16", "fp16", "int8")
# `never` in it keeps to the plain plan: for tests, and for runs that must not vary.
MEASURE_VARIABLE = "FER_EDGE_MEASURE"


@dataclass(frozen=True)
class PlanOptions:
    """What is asked of a plan; what is left at `auto` or 0 is measured.

    Attributes:
        backend: a key of `BACKENDS`, or `auto`.
        device: `auto`, `cpu`, `gpu` or `npu`, one of OpenVINO's names (`GPU.1`), or `AUTO`,
            with which OpenVINO chooses the device.
        threads: of the CPU; 0 for as many as are best.
        precision: one of `PRECISIONS`, or `auto`.
        again: whether to measure even what was measured before.

    Raises:
        BackendUnavailable: no such backend.
        BadInput: another value outside its range.
    """

    backend: str = "auto"
    device: str = "auto"
    threads: int = 0
    precision: str = "auto"
    again: bool = False

    def __post_init__(self) -> None:
        if self.backend not in ("auto", *BACKENDS):
            raise BackendUnavailable(
                f"no backend {self.backend!r}; there are {', '.join(BACKENDS)}"
            )
        if not 0 <= self.threads <= 1024:
            raise BadInput(f"{self.threads} threads: give 1-1024, or 0 for as many as are best")
        if self.precision not in ("auto", *PRECISIONS):
            raise BadInput(
                f"no precision {self.precision!r}; there are auto, {', '.join(PRECISIONS)}"
            )

    def as_json(self) -> dict[str, Any]:
        """What changes the choice, by name."""
        return {name: value for name, value in asdict(self).items() if name != "again"}


def may_measure() -> bool:
    """Whether the environment lets plans be measured."""
    return os.environ.get(MEASURE_VARIABLE, "") != "never"
