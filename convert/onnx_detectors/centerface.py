"""CenterFace (Xu et al., arXiv 1911.03599): faces as points of a heat map at stride 4."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from fer_edge.engine.model import FaceFrame

from ..head import HeadBuilder
from .family import Facts
from .grid import best, boxes_and_points, cells_of_map, gathered
from .structure import Output

STRIDE = 4
FACTS = Facts(
    name="CenterFace",
    colour="rgb",
    mean=(0.0, 0.0, 0.0),
    default_score=0.5,
    iou_threshold=0.3,
    least_face=12.0,
    largest_face=340.0,
    # Of 213 labelled pictures' candidates this large, 3 of 5 between 0.3 and 0.5 are faces;
    # of tilted faces and close-ups every tenth scores no more.
    large_face=40.0,
    large_face_score=0.3,
    face_frame=FaceFrame(0.79, 0.99, 0.0, 0.01),
)
EXPECTED = "CenterFace: maps of 1 (sigmoid), 2, 2 and 10 channels at stride 4"
# Less than any logit: its sigmoid is 4e-44.
_NO_PEAK = -100.0


@dataclass(frozen=True)
class CenterFace:
    """Maps of a CenterFace network, `onnx_ir` values.

    Attributes:
        heat: logit of a face's middle, `(1, 1, h, w)`.
        scale: logarithm of height and width in cells, `(1, 2, h, w)`.
        offset: of the middle from that of its cell, y and x in cells, `(1, 2, h, w)`.
        points: y and x of five landmarks, from the box's upper left corner, in parts of its
            sides, `(1, 10, h, w)`.
    """

    heat: Any
    scale: Any
    offset: Any
    points: Any
    facts: Facts = FACTS

    def outputs(self, graph: Any) -> list[Any]:
        """What the body must give; see `family.Family`."""
        return [self.heat, self.scale, self.offset, self.points]

    @staticmethod
    def capacity(height: int, width: int) -> int:
        """Number of candidates in a picture of this size."""
        return height * width // STRIDE**2

    @staticmethod
    def append_head(graph: Any, maps: Sequence[Any], k: int) -> None:
        """Decode `maps`, float32, in the graph; see `family.Family`."""
        add = HeadBuilder(graph)
        heat, scale, offset, points = maps
        # A face is one peak. Without this its slopes would use up k in a crowd.
        highest = add("MaxPool", heat, kernel_shape=[3, 3], pads=[1, 1, 1, 1], strides=[1, 1])
        peaks = add("Where", add("Equal", heat, highest), heat, add.floats("no_peak", [_NO_PEAK]))
        found = best(add, add("Reshape", peaks, add.integers("as_row", 1, -1)), k)
        cells = cells_of_map(add, graph.inputs[0], STRIDE, found.place)
        xy = add.integers("yx", 1, 0)

        def take(value: Any) -> Any:
            return add("Gather", gathered(add, value, 2, found.index), xy, axis=0)

        middle = add("Add", take(offset), add("Add", cells.at, add.floats("half", [0.5])))
        centre = add("Div", middle, cells.grid)
        size = add("Div", add("Exp", take(scale)), cells.grid)
        corner = add("Sub", centre, add("Mul", size, add.floats("half", [0.5])))
        shares = gathered(add, points, 10, found.index)
        shares = add("Reshape", shares, add.integers("points_shape", 5, 2, -1))
        shares = add("Gather", shares, xy, axis=1)
        at = add("Add", add("Mul", shares, size), corner)
        boxes_and_points(add, graph, centre, size, at, add("Sigmoid", found.scores), k)


def recognise(outputs: Sequence[Output]) -> CenterFace | None:
    """A CenterFace network, or None.

    Scale comes before offset, as in the published file: nothing else tells them apart.
    """
    wanted = (1, 2, 2, 10)
    if len(outputs) != len(wanted) or any(len(output.shape) != 4 for output in outputs):
        return None
    ordered = sorted(outputs, key=lambda output: output.shape[1])
    maps = [output.map(channels) for output, channels in zip(ordered, wanted, strict=True)]
    cells = [output.cells(channels) for output, channels in zip(ordered, wanted, strict=True)]
    found = [each for each in maps if each is not None]
    if len(found) != len(wanted) or set(cells) != {(STRIDE, 1)}:
        return None
    if [each.sigmoid for each in found] != [True, False, False, False]:
        return None
    return CenterFace(*(each.value for each in found))
