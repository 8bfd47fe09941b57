"""What the parity check asks of a detector as it was before its conversion."""

from __future__ import annotations

from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Protocol

from fer_edge.engine.types import Boxes, Detections, Floats, Image


@dataclass(frozen=True)
class Candidates:
    """Everything a detector predicts for one picture, before suppression.

    Attributes:
        corners: float32 `(n, 4)`, normalised (ymin, xmin, ymax, xmax), over the network's input.
        scores: float32 `(n,)`, 0-1, the best of the classes.
    """

    corners: Boxes
    scores: Floats


class OpenOriginal(Protocol):
    """A detector that can be run."""

    def candidates(self, image: Image) -> Candidates:
        """All predictions for a BGR uint8 picture."""

    def detections(self, image: Image, least_score: float) -> list[Detections]:
        """What it finds in a BGR uint8 picture, in pixels of it; an entry a class."""


class OriginalDetector(Protocol):
    """A detector as it was before its conversion."""

    def opened(self) -> AbstractContextManager[OpenOriginal]:
        """Load it."""
