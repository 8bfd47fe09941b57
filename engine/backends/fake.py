"""A backend that answers from a script: pipelines can be tried and tested without a model."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

from ..errors import BackendUnavailable
from ..model import ModelFacts
from ..types import Floats
from .base import Backend
from .plan import Plan

Script = Callable[[int, Mapping[str, Floats]], dict[str, Floats]]


class FakeBackend(Backend):
    """Calls `script(call, inputs)` with the number of the call, from 0, for every inference.

    Attributes:
        calls: the inferences made so far.
        closed: whether `close()` was called.
    """

    def __init__(self, script: Script, facts: ModelFacts) -> None:
        self.facts = facts
        self.plan = Plan("fake", "CPU", "fp32")
        self.calls = 0
        self.closed = False
        self._script = script

    @classmethod
    def open(cls, path: Path, plan: Plan | None = None) -> FakeBackend:
        """Refuse: a script is no file."""
        raise BackendUnavailable(f"{path}: the fake backend is built from a script, not a file")

    def infer(self, inputs: Mapping[str, Floats]) -> dict[str, Floats]:
        """Return what the script says; see `Backend.infer`."""
        outputs = self._script(self.calls, inputs)
        self.calls += 1
        return outputs

    def close(self) -> None:
        """Remember that the model was closed."""
        self.closed = True
