"""What the decoders of all families share: survivors by score, and where their cells lie.

Everything is computed channel by channel, `(channels, k)`, of the k survivors alone, and from
the size of the picture as it is when the network runs: no constant depends on it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from ..head import BOXES, LANDMARKS, SCORES, HeadBuilder, set_outputs


@dataclass(frozen=True)
class Survivors:
    """The anchors of the k best scores.

    Attributes:
        scores: `(1, k)`, whatever they were ranked by.
        index: int64 `(k,)`.
        place: the same as float32 `(k,)`.
    """

    scores: Any
    index: Any
    place: Any


@dataclass(frozen=True)
class Cells:
    """The grid cells of survivors.

    Attributes:
        at: float32 `(2, k)`, column and row.
        grid: float32 `(2, k)` or `(2, 1)`, columns and rows that the picture has.
        zoom: float32 `(k,)`, side of a cell over that of the finest level; None where
            there is one level.
    """

    at: Any
    grid: Any
    zoom: Any = None


def best(add: HeadBuilder, scores: Any, k: int) -> Survivors:
    """The k best of `(1, n)`."""
    values, index = add(
        "TopK", scores, add.integers("k", k), outputs=2, axis=1, largest=1, sorted=1
    )
    index = add("Reshape", index, add.integers("k_shape", k))
    # float32 counts exactly to 2^24, and there are no more cells than pixels.
    return Survivors(values, index, add("Cast", index, to=1))


def gathered(add: HeadBuilder, value: Any, channels: int, index: Any) -> Any:
    """The numbers of cells of a map `(1, channels, h, w)`, `(channels, k)`."""
    flat = add("Reshape", value, add.integers(f"channels_{channels}", channels, -1))
    return add("Gather", flat, index, axis=1)


def cells_of_map(add: HeadBuilder, image: Any, stride: int, place: Any) -> Cells:
    """Cells of one map, row after row.

    Args:
        add: of the graph.
        image: the network's input.
        stride: pixels to a cell.
        place: of the cells, float32 `(k,)`.
    """
    columns, rows = _grid(add, image, stride)
    return Cells(_at(add, place, columns), _stacked(add, columns, rows))


def cells_of_pyramid(add: HeadBuilder, image: Any, place: Any) -> Cells:
    """Cells of three maps of strides 8, 16 and 32, one behind the other."""
    columns, rows = _grid(add, image, 8)
    first = add("Mul", columns, rows)
    second = add("Mul", first, add.floats("quarter", [0.25]))
    in_second = _from(add, place, first)
    in_third = _from(add, place, add("Add", first, second))
    before = add("Add", add("Mul", in_second, first), add("Mul", in_third, second))
    # 1, 2 and 4.
    zoom = add("Add", add("Add", in_second, in_third), add("Add", in_third, add.floats("one", [1])))
    here = add("Div", columns, zoom), add("Div", rows, zoom)
    return Cells(_at(add, add("Sub", place, before), here[0]), _stacked(add, *here), zoom)


def boxes_and_points(
    add: HeadBuilder, graph: Any, centre: Any, size: Any, points: Any, scores: Any, k: int
) -> None:
    """Make the three outputs.

    Args:
        add: of the graph.
        graph: gets them.
        centre, size: of the boxes, normalised, `(2, k)`, x first.
        points: normalised, `(5, 2, k)`, x first.
        scores: 0-1, `(1, k)`.
        k: number of survivors.
    """
    half = add("Mul", size, add.floats("half", [0.5]))
    low, high = add("Sub", centre, half), add("Add", centre, half)
    yx = add.integers("yx", 1, 0)
    corners = [add("Gather", pair, yx, axis=0) for pair in (low, high)]
    by_row = add("Transpose", add("Concat", *corners, axis=0), perm=[1, 0])
    boxes = add("Reshape", by_row, add.integers("boxes_shape", 1, k, 4))
    landmarks = add("Transpose", points, perm=[2, 0, 1])
    landmarks = add("Reshape", landmarks, add.integers("landmarks_shape", 1, k, 5, 2))
    column = add("Reshape", scores, add.integers("scores_shape", 1, k, 1))
    set_outputs(
        graph,
        {
            BOXES: (boxes, (1, k, 4)),
            SCORES: (column, (1, k, 1)),
            LANDMARKS: (landmarks, (1, k, 5, 2)),
        },
    )


def _grid(add: HeadBuilder, image: Any, stride: int) -> tuple[Any, Any]:
    """Columns and rows of a map, float32 `(1,)` each."""
    shape = add("Cast", add("Shape", image), to=1)
    scale = add.floats("cells", [1 / stride])
    width = add("Gather", shape, add.integers("width_axis", 3), axis=0)
    height = add("Gather", shape, add.integers("height_axis", 2), axis=0)
    return add("Mul", width, scale), add("Mul", height, scale)


def _at(add: HeadBuilder, place: Any, columns: Any) -> Any:
    """Column and row `(2, k)` of cells that are counted row after row."""
    # Half a cell on, so that rounding of the quotient never reaches the next row.
    middle = add("Add", place, add.floats("half", [0.5]))
    row = add("Floor", add("Div", middle, columns))
    column = add("Sub", place, add("Mul", row, columns))
    return _stacked(add, column, row)


def _stacked(add: HeadBuilder, *rows: Any) -> Any:
    """Vectors `(n,)` as the rows of one matrix."""
    as_row = add.integers("as_row", 1, -1)
    return add("Concat", *(add("Reshape", row, as_row) for row in rows), axis=0)


def _from(add: HeadBuilder, place: Any, start: Any) -> Any:
    """1 where a place is at `start` or behind it, else 0; both whole numbers."""
    return add("Cast", add("Greater", place, add("Sub", start, add.floats("half", [0.5]))), to=1)
