"""A sheet of training faces as the network sees them, to look at before a run is trusted."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np

from fer_edge.engine.outputs import write_file

from .augment import Augmentation, augment
from .data import LabelledFaces
from .evaluation.plots import GAP, mosaic

COLUMNS, PAIRS_OF_ROWS, SCALE = 12, 3, 3


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
    sheet = np.pad(mosaic(np.concatenate(rows), COLUMNS), ((GAP, 0), (GAP, 0)), constant_values=255)
    large = cv2.resize(sheet, None, fx=SCALE, fy=SCALE, interpolation=cv2.INTER_NEAREST)
    write_file(path, cv2.imencode(".png", large)[1].tobytes())
