"""What a family of detectors is to the converter."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from fer_edge.engine.model import Colour, FaceFrame

# Strides of the maps of those that have three.
PYRAMID = (8, 16, 32)


@dataclass(frozen=True)
class Facts:
    """What a family's networks have in common; see `InputFacts` and `DetectorFacts`."""

    name: str
    colour: Colour
    mean: tuple[float, float, float]
    default_score: float
    iou_threshold: float
    least_face: float
    largest_face: float
    large_face: float = 0.0
    large_face_score: float = 0.0
    face_frame: FaceFrame | None = None


class Family(Protocol):
    """A network that was recognised."""

    @property
    def facts(self) -> Facts:
        """Of the family."""

    def outputs(self, graph: Any) -> list[Any]:
        """What its body must give to the head, `onnx_ir` values of `graph`."""

    @staticmethod
    def capacity(height: int, width: int) -> int:
        """Number of candidates in a picture of this size."""

    @staticmethod
    def append_head(graph: Any, maps: Sequence[Any], k: int) -> None:
        """Decode `maps` in the graph, and give it its outputs.

        Args:
            graph: whose one input is the picture, both sides open.
            maps: float32, in the order of `outputs`.
            k: candidates that are left, best first.
        """
