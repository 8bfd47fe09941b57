"""RetinaFace with prior boxes (Deng et al., arXiv 1905.00641), as in biubug6's Pytorch_Retinaface.

Two square priors a cell at strides 8, 16 and 32, box coding as of the SSD (Liu et al.,
arXiv 1512.02325) with variances 0.1 and 0.2.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from ..head import HeadBuilder
from .family import PYRAMID, Facts
from .grid import best, boxes_and_points, cells_of_pyramid
from .structure import PROBE, Output

PRIORS = 2
# Sides in pixels at stride 8; four times as much a level, twice as much the second prior.
LEAST_PRIOR = 16
VARIANCES = (0.1, 0.2)
FACTS = Facts(
    name="RetinaFace",
    colour="bgr",
    mean=(104.0, 117.0, 123.0),
    default_score=0.5,
    iou_threshold=0.4,
    least_face=0.0,
    largest_face=0.0,
)
EXPECTED = (
    "RetinaFace: three outputs of 4, 2 and 10 numbers a prior, two priors a cell at the strides "
    "8, 16 and 32"
)


@dataclass(frozen=True)
class RetinaFace:
    """Rows of a RetinaFace network, `onnx_ir` values, a row a prior.

    Attributes:
        boxes: coded centre and size, x first, `(1, n, 4)`.
        logits: of background and face, `(1, n, 2)`.
        points: coded landmarks, x and y, `(1, n, 10)`.
    """

    boxes: Any
    logits: Any
    points: Any
    facts: Facts = FACTS

    def outputs(self, graph: Any) -> list[Any]:
        """What the body must give; see `family.Family`."""
        return [self.boxes, self.logits, self.points]

    @staticmethod
    def capacity(height: int, width: int) -> int:
        """Number of candidates in a picture of this size."""
        return PRIORS * sum((height // stride) * (width // stride) for stride in PYRAMID)

    @staticmethod
    def append_head(graph: Any, maps: Sequence[Any], k: int) -> None:
        """Decode `maps`, float32, in the graph; see `family.Family`."""
        add = HeadBuilder(graph)
        boxes, logits, points = maps
        background, face = (
            add("Gather", logits, add.integers(name, column), axis=2)
            for column, name in enumerate(("background", "face"))
        )
        # A softmax of two is the sigmoid of their difference.
        rank = add("Reshape", add("Sub", face, background), add.integers("as_row", 1, -1))
        found = best(add, rank, k)
        middle = add("Add", found.place, add.floats("half", [0.5]))
        cell = add("Floor", add("Mul", middle, add.floats("share", [1 / PRIORS])))
        which = add("Sub", found.place, add("Mul", cell, add.floats("priors", [PRIORS])))
        cells = cells_of_pyramid(add, graph.inputs[0], cell)
        prior = add("Div", add("Add", cells.at, add.floats("half", [0.5])), cells.grid)
        # In cells: 2 or 4 of the finest level, twice as many a level.
        sides = add("Mul", add("Add", which, add.floats("one", [1])), cells.zoom)
        sides = add("Mul", sides, add.floats("least_prior", [LEAST_PRIOR / PYRAMID[0]]))
        extent = add("Div", sides, cells.grid)

        def take(value: Any, channels: int) -> Any:
            rows = add("Gather", value, found.index, axis=1)
            rows = add("Reshape", rows, add.integers(f"rows_{channels}", k, channels))
            return add("Transpose", rows, perm=[1, 0])

        coded = take(boxes, 4)
        shift, growth = (
            add("Gather", coded, add.integers(name, *rows), axis=0)
            for name, rows in (("middle", (0, 1)), ("growth", (2, 3)))
        )
        near = add("Mul", extent, add.floats("near", [VARIANCES[0]]))
        centre = add("Add", add("Mul", shift, near), prior)
        grown = add("Exp", add("Mul", growth, add.floats("grown", [VARIANCES[1]])))
        size = add("Mul", grown, extent)
        shares = add("Reshape", take(points, 10), add.integers("points_shape", 5, 2, -1))
        at = add("Add", add("Mul", shares, near), prior)
        boxes_and_points(add, graph, centre, size, at, add("Sigmoid", found.scores), k)


def recognise(outputs: Sequence[Output]) -> RetinaFace | None:
    """A RetinaFace network with priors, or None; a softmax at its end is left to the head."""
    count = RetinaFace.capacity(*PROBE)
    by_channels = {
        channels: output.value
        for output in outputs
        for channels in (4, 2, 10)
        if output.shape == (1, count, channels)
    }
    if len(outputs) != 3 or len(by_channels) != 3:
        return None
    logits = by_channels[2]
    node = logits.producer()
    if node is not None and node.op_type == "Softmax":
        logits = node.inputs[0]
    return RetinaFace(by_channels[4], logits, by_channels[10])
