"""How a model runs on this machine, and why so."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from itertools import zip_longest
from typing import Any

from ..errors import BadInput


@dataclass(frozen=True)
class Plan:
    """How a model runs.

    Attributes:
        backend: a key of `BACKENDS`, or `fake`.
        device: what computes, in the backend's words: `CPU`, `GPU`, `GPU.1`, `NPU`, `AUTO`,
            `CUDA`; empty for the best that the backend finds.
        precision: of the arithmetic: `fp32`, `bf16`, `fp16` or `int8`.
        threads: of the CPU; 0 for as many as the library thinks best, or none of its business.
        file: name of the model's file, which may be another than was asked for: one of the same
            network in another precision, beside it.
    """

    backend: str
    device: str
    precision: str
    threads: int = 0
    file: str = ""

    def describe(self) -> str:
        """For people: `openvino, CPU, fp32, 2 threads`."""
        return ", ".join(self._words())

    def differs(self, other: Plan) -> str:
        """What tells this plan from another one, in few words."""
        pairs = zip_longest(self._words(), other._words(), fillvalue="")
        words = [mine for mine, theirs in pairs if mine != theirs and mine]
        return " ".join(words) or self.describe()

    def as_json(self) -> dict[str, Any]:
        """The fields by name."""
        return asdict(self)

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> Plan:
        """Read what `as_json` gave.

        Raises:
            BadInput: it is something else.
        """
        kinds = {field.name: field.type for field in fields(cls)}
        if values.keys() != kinds.keys() or any(
            type(value).__name__ != kinds[name] for name, value in values.items()
        ):
            raise BadInput("no execution plan")
        return cls(**values)

    def _words(self) -> list[str]:
        words = [self.backend, self.device or "any device", self.precision]
        if self.threads:
            words.append(f"{self.threads} thread{'s' * (self.threads > 1)}")
        return words


# The problem of a plan for which no time was left.
NO_TIME = "not tried"


@dataclass(frozen=True)
class Trial:
    """What became of a plan that was tried.

    Attributes:
        plan: as it ran.
        seconds: of one run of the network with its preprocessing; None where none was timed.
        problem: why the plan is out, or empty.
    """

    plan: Plan
    seconds: float | None = None
    problem: str = ""


@dataclass(frozen=True)
class Decision:
    """A plan, and why it was taken.

    Attributes:
        plan: the one taken, as it runs.
        reason: in words, where nothing was measured.
        trials: what was tried, in order; empty where nothing was measured.
        measured_on: day of that, `2026-11-28`, or empty.
        remembered: whether it was measured in an earlier run.
        busy: whether the machine had other work while it was measured.
    """

    plan: Plan
    reason: str = ""
    trials: tuple[Trial, ...] = ()
    measured_on: str = ""
    remembered: bool = False
    busy: bool = False

    def describe(self) -> str:
        """For people: the plan, its time, those of the others, and the day."""
        if not self.trials:
            return f"{self.plan.describe()} ({self.reason})"
        took = [trial.seconds for trial in self.trials if trial.plan == self.plan]
        words = [self.plan.describe()]
        if took and took[0] is not None:
            words[0] += f": {took[0] * 1e3:.1f} ms"
        others = [self._other(trial) for trial in self.trials if trial.plan != self.plan]
        if self.untried:
            others.append(f"{self.untried} not tried: time was up, --measure takes longer")
        if others := [other for other in others if other]:
            words[0] += f" ({', '.join(others)})"
        words.append(f"measured {self.measured_on}" + " beside other work" * self.busy)
        return ", ".join(words) + " [cached]" * self.remembered

    def as_json(self) -> dict[str, Any]:
        """The fields by name, those of plans and trials too."""
        return asdict(self)

    @property
    def untried(self) -> int:
        """Plans for which no time was left."""
        return sum(trial.problem == NO_TIME for trial in self.trials)

    def _other(self, trial: Trial) -> str:
        name = trial.plan.differs(self.plan)
        if trial.seconds is not None:
            return f"{name} {trial.seconds * 1e3:.1f}"
        return "" if trial.problem == NO_TIME else f"{name} {trial.problem}"
