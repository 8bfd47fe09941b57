"""A backend that sees frames to the last digit, to hold networks against each other with."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from ..errors import BackendUnavailable
from ..types import Floats
from .base import Backend
from .plan import Plan


class Exact(Backend):
    """Another backend, given `network_input` and `face_inputs` themselves.

    Backends round a resized frame to whole grey levels, which no one sees in the faces found,
    but in the digits of a comparison.

    Args:
        backend: open; closed together with this one.
    """

    def __init__(self, backend: Backend) -> None:
        self.facts = backend.facts
        self.plan = backend.plan
        self._backend = backend

    @classmethod
    def open(cls, path: Path, plan: Plan | None = None) -> Exact:
        """Refuse: it takes another backend."""
        raise BackendUnavailable(f"{path}: open it with another backend first")

    def infer(self, inputs: Mapping[str, Floats]) -> dict[str, Floats]:
        """Run the network once; see `Backend.infer`."""
        return self._backend.infer(inputs)

    def close(self) -> None:
        """Close the other backend."""
        self._backend.close()
