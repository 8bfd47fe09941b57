"""What every inference backend looks like."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from ..model import InputFacts, ModelFacts
from ..preprocess import face_inputs, network_input
from ..tracing import span
from ..types import Floats, Image
from .plan import Decision, Plan


class Backend(ABC):
    """An open model: named arrays in, named arrays out. A context manager.

    Attributes:
        facts: what the model file says about itself.
        plan: how it runs, for reports: `plan.describe()`, `plan.as_json()`. Threads are known
            when the network has run once.
        decision: why so, with the times of the other plans where they were measured; None of a
            model that `plans.open_model` did not open.
        path: of the file that the caller named; None of a model that comes from none.
    """

    facts: ModelFacts
    plan: Plan
    decision: Decision | None = None
    path: Path | None = None

    @property
    def name(self) -> str:
        """For people: the file."""
        return str(self.path or self.facts.source_name)

    @property
    def precision(self) -> str:
        """Of the arithmetic in use, for reports (`fp32`, `bf16`, ...)."""
        return self.plan.precision

    @property
    def device(self) -> str:
        """What computes, for reports (`CPU`, `CUDA`)."""
        return self.plan.device

    @classmethod
    @abstractmethod
    def open(cls, path: Path, plan: Plan | None = None) -> Backend:
        """Load the model at `path`.

        Args:
            path: of the file.
            plan: how to run it; None for what the backend does by default.

        Raises:
            InputNotFound: no file there.
            BadInput: fer-convert did not write it, or the vendor's library refuses it.
        """

    @abstractmethod
    def infer(self, inputs: Mapping[str, Floats]) -> dict[str, Floats]:
        """Run the network once.

        Args:
            inputs: C-contiguous float32 arrays by name; the backend does not keep them.

        Returns:
            float32 arrays by name, owned by the caller.
        """

    def infer_frame(self, image: Image, see: InputFacts | None = None) -> dict[str, Floats]:
        """Run a detector on a whole frame; returns as `infer` does.

        A backend that resizes or scales faster than `network_input` does so here.

        Args:
            image: BGR uint8 `(h, w, 3)`.
            see: the model's input in another size, as `InputFacts.of_size` gives it; None for
                the file's own size.
        """
        facts = see or self.facts.input
        with span("preprocess"):
            pixels = network_input(image, facts)
        with span("detect"):
            return self.infer({facts.name: pixels})

    def infer_faces(self, image: Image, crops: Floats) -> dict[str, Floats]:
        """Run an expression model on the faces of a frame; returns as `infer` does.

        Args:
            image: BGR uint8 `(h, w, 3)`.
            crops: squares around them, n at least 1, as `face_inputs` takes them.
        """
        facts = self.facts.input
        with span("crop"):
            faces = face_inputs(image, crops, facts)
        with span("classify"):
            return self.infer({facts.name: faces})

    def why(self) -> str:
        """How the model runs, and why so, for people."""
        if self.decision is None:
            return self.plan.describe()
        return replace(self.decision, plan=self.plan).describe()

    @abstractmethod
    def close(self) -> None:
        """Give the model's memory back; may be called twice."""

    def __enter__(self) -> Backend:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
