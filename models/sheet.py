"""A sheet of training faces as the network sees them, to look at before a run is trusted."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from fer_edge.engine.outputs import write_file

from .augment import Augmentation, augment
from .data import LabelledFaces
from .evaluation.plots import sheet_png

COLUMNS, PAIRS_OF_ROWS = 12, 3


def write_sheet(path: Path, faces: LabelledFaces, how: Augmentation, seed: int) -> None:
    """Write a PNG of rows of faces, each above the same faces as augmentation changes them.

    Raises:
        OutputNotWritable: the file cannot be written.
    """
    shown = faces.images[: COLUMNS * PAIRS_OF_ROWS]
    changed = np.rint(augment(shown, how, np.random.default_rng(seed))).astype(np.uint8)
    rows = [
        part[at : at + COLUMNS] for at in range(0, len(shown), COLUMNS) for part in (shown, changed)
    ]
    picture = sheet_png(
        np.concatenate(rows), [""] * 2 * len(shown), "as they are, and as they are shown", COLUMNS
    )
    write_file(path, picture)
