"""What every inference backend looks like."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from pathlib import Path

from ..model import ModelFacts
from ..types import Floats


class Backend(ABC):
    """An open model: named arrays in, named arrays out. A context manager.

    Attributes:
        facts: what the model file says about itself.
        precision: of the arithmetic in use, for reports (`fp32`, `bf16`, ...).
        device: what computes, for reports (`CPU`, `CUDA`).
    """

    facts: ModelFacts
    precision: str
    device: str = "CPU"

    @classmethod
    @abstractmethod
    def open(cls, path: Path, facts: ModelFacts) -> Backend:
        """Load the model at `path`.

        Raises:
            BadInput: the vendor's library refuses the file.
        """

    @abstractmethod
    def infer(self, inputs: Mapping[str, Floats]) -> dict[str, Floats]:
        """Run the network once.

        Args:
            inputs: C-contiguous float32 arrays by name; the backend does not keep them.

        Returns:
            float32 arrays by name, owned by the caller.
        """

    @abstractmethod
    def close(self) -> None:
        """Give the model's memory back; may be called twice."""

    def __enter__(self) -> Backend:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
