"""FER+: what ten people said of each face of FER2013.

Barsoum et al., "Training deep networks for facial expression recognition with crowd-sourced
label distribution", ICMI 2016, arXiv 1608.01041.
"""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np

from fer_edge.engine.errors import BadInput
from fer_edge.engine.model import FER2013_LABELS

from .faces import Gray

# As Microsoft publishes it: a row for each row of fer2013.csv, in the same order.
FILE = "fer2013new.csv"

# Its columns, in their order.
TAGS = (
    "neutral", "happiness", "surprise", "sadness", "anger", "disgust", "fear", "contempt",
    "unknown", "NF",
)  # fmt: skip
# FER2013's name of each class that both have.
_SAME = {
    "anger": "angry",
    "disgust": "disgust",
    "fear": "fear",
    "happiness": "happy",
    "sadness": "sad",
    "surprise": "surprise",
    "neutral": "neutral",
}
_OTHERS = "contempt"
_USAGE = "Usage"


def read_tags(path: Path, usages: list[str]) -> Gray:
    """Read `fer2013new.csv`: uint8 `(n, 10)`, in the order of `TAGS`.

    Args:
        path: of the file.
        usages: of the rows of the `fer2013.csv` beside it, which its own must be.

    Raises:
        BadInput: names the line of the first malformed row, or another number of rows.
    """
    rows: list[list[int]] = []
    with path.open(newline="", encoding="utf-8-sig") as file:
        try:
            reader = csv.DictReader(file)
            if missing := [name for name in (_USAGE, *TAGS) if name not in _fields(reader)]:
                raise BadInput(f"{path}: no column {', '.join(missing)}; expected FER+'s header")
            for row in reader:
                where = f"{path}, line {reader.line_num}"
                if len(rows) == len(usages):
                    raise BadInput(f"{where}: more rows than fer2013.csv has ({len(usages):,})")
                if row[_USAGE] != usages[len(rows)]:
                    raise BadInput(
                        f"{where}: Usage is {str(row[_USAGE])[:20]!r}, fer2013.csv has "
                        f"{usages[len(rows)]} there; both must be of the same order"
                    )
                rows.append([_count(row[tag], where) for tag in TAGS])
        except (csv.Error, UnicodeDecodeError) as error:
            raise BadInput(f"{path}: is no CSV file ({error})") from error
    if len(rows) != len(usages):
        raise BadInput(f"{path}: {len(rows):,} rows, fer2013.csv has {len(usages):,}")
    return np.array(rows, np.uint8)


def _fields(reader: csv.DictReader[str]) -> list[str]:
    return list(reader.fieldnames or [])


def _count(text: str | None, where: str) -> int:
    if text is None or not text.strip().isdecimal() or int(text) > 255:
        raise BadInput(f"{where}: {str(text)[:20]!r} votes, expected 0-255")
    return int(text)


def votes_by_class(tags: Gray) -> Gray:
    """Votes of FER+ as `LabelledFaces` has them.

    Args:
        tags: uint8 `(n, 10)`, in the order of `TAGS`.

    Returns:
        uint8 `(n, 8)`: FER2013's seven classes, and contempt as what is none of them. Votes
        for unknown and for no face (NF) are no votes on an expression and are left out.
    """
    ours = {_SAME[tag]: column for column, tag in enumerate(TAGS) if tag in _SAME}
    return tags[:, [*(ours[label] for label in FER2013_LABELS), TAGS.index(_OTHERS)]]
