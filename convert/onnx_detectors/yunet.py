"""YuNet (Wu et al., "YuNet: A Tiny Millisecond-level Face Detector", MIR 2023): anchor-free
predictions at strides 8, 16 and 32.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from fer_edge.engine.model import FaceFrame

from ..head import HeadBuilder
from ..rewrite import stacked
from .family import PYRAMID, Facts
from .grid import best, boxes_and_points, cells_of_pyramid
from .structure import Output

FACTS = Facts(
    name="YuNet",
    colour="bgr",
    mean=(0.0, 0.0, 0.0),
    default_score=0.65,
    iou_threshold=0.3,
    least_face=12.0,
    largest_face=400.0,
    face_frame=FaceFrame(0.82, 1.05, 0.0, 0.02),
)
EXPECTED = (
    "YuNet: at each of the strides 8, 16 and 32 two outputs of 1 number a cell (sigmoid), one of "
    "4 and one of 10"
)


@dataclass(frozen=True)
class YuNet:
    """Maps of a YuNet network, `onnx_ir` values, three of each, finest first.

    Attributes:
        classes, objects: logits whose probabilities' geometric mean is the score,
            `(1, 1, h, w)`.
        boxes: offset of the middle from the cell's corner (x, y) in cells, and logarithm of
            width and height in cells, `(1, 4, h, w)`.
        points: x and y of five landmarks, from the cell's corner in cells, `(1, 10, h, w)`.
    """

    classes: tuple[Any, ...]
    objects: tuple[Any, ...]
    boxes: tuple[Any, ...]
    points: tuple[Any, ...]
    facts: Facts = FACTS

    def outputs(self, graph: Any) -> list[Any]:
        """What the body must give, a map `(1, 16, h, w)` a level; see `family.Family`."""
        levels = zip(self.classes, self.objects, self.boxes, self.points, strict=True)
        return [stacked(graph, level) for level in levels]

    @staticmethod
    def capacity(height: int, width: int) -> int:
        """Number of candidates in a picture of this size."""
        return sum((height // stride) * (width // stride) for stride in PYRAMID)

    @staticmethod
    def append_head(graph: Any, maps: Sequence[Any], k: int) -> None:
        """Decode `maps`, float32, in the graph; see `family.Family`."""
        add = HeadBuilder(graph)
        rows = [add("Reshape", value, add.integers("rows", 16, -1)) for value in maps]
        cells_of_all = add("Concat", *rows, axis=1)

        def part(value: Any, name: str, start: int, end: int) -> Any:
            return add("Gather", value, add.integers(name, *range(start, end)), axis=0)

        likely = add("Sigmoid", part(cells_of_all, "likely", 0, 2))
        product = add("Mul", part(likely, "class", 0, 1), part(likely, "object", 1, 2))
        found = best(add, product, k)
        cells = cells_of_pyramid(add, graph.inputs[0], found.place)
        chosen = add("Gather", cells_of_all, found.index, axis=1)
        middle = part(chosen, "middle", 2, 4)
        centre = add("Div", add("Add", middle, cells.at), cells.grid)
        size = add("Div", add("Exp", part(chosen, "growth", 4, 6)), cells.grid)
        shares = part(chosen, "points", 6, 16)
        shares = add("Reshape", shares, add.integers("points_shape", 5, 2, -1))
        at = add("Div", add("Add", shares, cells.at), cells.grid)
        boxes_and_points(add, graph, centre, size, at, add("Sqrt", found.scores), k)


def recognise(outputs: Sequence[Output]) -> YuNet | None:
    """A YuNet network, or None."""
    by_kind: dict[tuple[int, int], list[Any]] = {}
    for output in outputs:
        for channels in (1, 4, 10):
            cells, behind = output.cells(channels), output.map(channels)
            if cells is not None and behind is not None and behind.sigmoid == (channels == 1):
                by_kind.setdefault((channels, cells[0]), []).append(behind.value)
                break
    wanted = {(c, stride): 2 if c == 1 else 1 for stride in PYRAMID for c in (1, 4, 10)}
    if len(outputs) != 12 or {kind: len(maps) for kind, maps in by_kind.items()} != wanted:
        return None
    ones = [by_kind[1, stride] for stride in PYRAMID]
    return YuNet(
        classes=tuple(maps[0] for maps in ones),
        objects=tuple(maps[1] for maps in ones),
        boxes=tuple(by_kind[4, stride][0] for stride in PYRAMID),
        points=tuple(by_kind[10, stride][0] for stride in PYRAMID),
    )
