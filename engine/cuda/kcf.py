"""How the tracker's kernels are launched, and what lies where in their memory.

What is known of a face lies in a slot, a record of type `FACE`. Faces keep their slots while
others come and go; a launch takes `Place`s, in the order of the caller's rows.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from .launch import Argument, BgrFrame, Launch

# As in kcf.cu.
SIDE, INNER, BLOCKS, UNKNOWNS = 64, 40, 5, 6
_HALF = SIDE // 2 + 1
_EIGHT = 8
# The largest frame, halved so often, has 16 pixels a side.
MAX_LEVEL = 12

_SPECTRUM = ("c8", (SIDE, _HALF))
FACE = np.dtype(
    [
        ("spectrum", *_SPECTRUM), ("product", *_SPECTRUM), ("response", "f4", (SIDE, SIDE)),
        ("ridges", [("height", "f4"), ("row", "i4"), ("sum", "f4"), ("squares", "f4")], SIDE),
        ("row_powers", "f4", SIDE), ("numerators", *_SPECTRUM), ("filter", *_SPECTRUM),
        ("powers", "f4", (SIDE, _HALF)), ("picture", "f4", (INNER, INNER)),
        ("weights", "f4", (INNER, INNER)), ("patch", "u1", (SIDE, SIDE)),
        ("face", "u1", (INNER, INNER)),
    ],
)  # fmt: skip
# Middle and step in pixels of the frame halved `level` times, whose first pixel's centre is 0.
PLACE = np.dtype(
    [
        ("x", "f4"), ("y", "f4"), ("cosine", "f4"), ("sine", "f4"), ("level", "i4"),
        ("slot", "i4"), ("rate", "f4"), ("unused", "f4"),
    ],
)  # fmt: skip
TABLES = np.dtype([("roots", "c8", SIDE), ("window", "f4", SIDE), ("wanted", *_SPECTRUM)])
# What comes back of each face.
PEAK = np.dtype([("across", "f4"), ("down", "f4"), ("ratio", "f4")])
PRODUCTS = np.dtype(("f4", (BLOCKS**2, UNKNOWNS + 1)))
NORMALS = np.dtype(("f4", (BLOCKS**2, UNKNOWNS, UNKNOWNS)))


@dataclass(frozen=True)
class Faces:
    """The faces of a launch.

    Attributes:
        slots: address of records of type `FACE`.
        places: address of records of type `PLACE`, one a face.
        count: of the faces, at least 1.
        tables: address of a record of type `TABLES`.
    """

    slots: int
    places: int
    count: int
    tables: int

    def arguments(self) -> tuple[Argument, ...]:
        """In the kernels' order."""
        return np.uintp(self.slots), np.uintp(self.places), np.int32(self.count)


def tables(window: np.ndarray, wanted: np.ndarray) -> np.ndarray:
    """What the kernels look up, a record of type `TABLES`.

    Args:
        window: float32 `(64,)`, one side of it.
        wanted: float32 `(64, 64)`, the wanted response.
    """
    table = np.zeros((), TABLES)
    table["roots"] = np.exp(-2j * np.pi * np.arange(SIDE) / SIDE)
    table["window"] = window
    table["wanted"] = np.fft.rfft2(wanted.astype(np.float64))
    return table


def find_launches(frame: BgrFrame, faces: Faces, lobe: int, peaks: int) -> list[Launch]:
    """Where the filters respond most around places.

    Args:
        frame: where it is.
        faces: whose filters are asked.
        lobe: half the width of what the ratio leaves out around a peak.
        peaks: address of records of type `PEAK`, one a face, to be written.
    """
    return [
        _cut("kcf_cut_patches", frame, faces, SIDE),
        _rows("kcf_rows_forward", faces),
        _columns("kcf_columns_filtered", faces),
        _columns("kcf_columns_back", faces),
        _rows("kcf_rows_back", faces),
        _launch("kcf_ridges", faces, (1, 1, faces.count), (SIDE, 1, 1)),
        Launch(
            "kcf_peaks", (-(-faces.count // 32), 1, 1), (32, 1, 1),
            (*faces.arguments(), np.int32(lobe), np.uintp(peaks)), "kcf",
        ),
    ]  # fmt: skip


def align_launches(frame: BgrFrame, faces: Faces, products: int) -> list[Launch]:
    """Faces at places, compared with their templates.

    Args:
        frame: where it is.
        faces: whose templates are asked.
        products: address of records of type `PRODUCTS`, one a face, to be written: by block,
            weighted products with the template's functions, and squares.
    """
    return [
        _cut("kcf_cut_faces", frame, faces, INNER),
        _launch("kcf_products", faces, _blocks(faces, UNKNOWNS + 1), _FLAT, np.uintp(products)),
    ]


def learn_launches(frame: BgrFrame, faces: Faces, regularisation: float) -> list[Launch]:
    """Patches at places, taken into the filters by their places' rates."""
    return [
        _cut("kcf_cut_patches", frame, faces, SIDE),
        _rows("kcf_rows_forward", faces),
        _columns("kcf_columns_learnt", faces, np.float32(regularisation)),
    ]


def cut_faces_launch(frame: BgrFrame, faces: Faces) -> Launch:
    """Faces at places, for templates to take in."""
    return _cut("kcf_cut_faces", frame, faces, INNER)


def adopt_launches(faces: Faces, normals: int) -> list[Launch]:
    """The faces that were cut last, taken into the templates by their places' rates.

    Args:
        faces: whose templates take in.
        normals: address of records of type `NORMALS`, one a face, to be written: by block,
            weighted products of the template's functions with each other.
    """
    return [
        _launch("kcf_blend", faces, _pixels(faces, INNER), _SQUARE),
        _launch("kcf_normals", faces, _blocks(faces, UNKNOWNS**2), _FLAT, np.uintp(normals)),
    ]


_SQUARE, _FLAT = (32, 8, 1), (32, 1, 1)
# Eight threads for a row's eighths, which read and write side by side.
_EIGHTHS = (_EIGHT, 8, 1)


def _cut(name: str, frame: BgrFrame, faces: Faces, side: int) -> Launch:
    arguments = (*frame.arguments(), *faces.arguments())
    return Launch(name, _pixels(faces, side), _SQUARE, arguments, "kcf")


def _rows(name: str, faces: Faces) -> Launch:
    grid = (1, SIDE // _EIGHTHS[1], faces.count)
    return _launch(name, faces, grid, _EIGHTHS, np.uintp(faces.tables))


def _columns(name: str, faces: Faces, *more: Argument) -> Launch:
    grid = (-(-_HALF * _EIGHT // _FLAT[0]), 1, faces.count)
    return _launch(name, faces, grid, _FLAT, np.uintp(faces.tables), *more)


def _launch(
    name: str,
    faces: Faces,
    grid: tuple[int, int, int],
    block: tuple[int, int, int],
    *more: Argument,
) -> Launch:
    return Launch(name, grid, block, (*faces.arguments(), *more), "kcf")


def _pixels(faces: Faces, side: int) -> tuple[int, int, int]:
    return -(-side // _SQUARE[0]), -(-side // _SQUARE[1]), faces.count


def _blocks(faces: Faces, numbers: int) -> tuple[int, int, int]:
    return -(-(BLOCKS**2) * numbers // _FLAT[0]), 1, faces.count
