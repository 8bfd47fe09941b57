"""FER2013 in its two forms: Kaggle's `fer2013.csv`, and an `.npz` of arrays.

Goodfellow et al., "Challenges in Representation Learning: A report on three machine
learning contests", 2013: 48x48 gray faces in seven classes, divided into Training,
PublicTest and PrivateTest.
"""

from __future__ import annotations

import csv
from collections.abc import Collection, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from fer_edge.engine.errors import BadInput
from fer_edge.engine.model import FER2013_LABELS

from ..npz import open_npz
from .faces import SIDE, UNKNOWN, DataSet, Gray, LabelledFaces
from .ferplus import FILE as FERPLUS
from .ferplus import TAGS, read_tags, votes_by_class

# In the order of their numbers in the .npz.
USAGES = ("Training", "PublicTest", "PrivateTest")
COLUMNS = ("emotion", "pixels", "Usage")
# The largest field of the real file has 9,216 characters.
MAX_FIELD = 16 * SIDE * SIDE
MAX_ROWS = 1_000_000
# In `emotion` of an .npz: a face whose label is not known.
NO_LABEL = 255


def read_npz(path: Path) -> DataSet:
    """Read an archive of `pixels` uint8 `(n, 48, 48)`, `emotion` and `usage` uint8 `(n,)`.

    A face may have the emotion 255, not known. `votes` uint8 `(n, 10)` may be there too: what
    the taggers of FER+ said (`ferplus.py`).

    Raises:
        BadInput: not such an archive, or values out of range.
    """
    complaint = "not a FER2013 archive ({why}); expected pixels, emotion and usage"
    with open_npz(path, complaint) as archive:
        pixels, emotion, usage = (archive[key] for key in ("pixels", "emotion", "usage"))
        votes = archive.get("votes")
    labels = _numbers(path, "emotion", emotion, [*range(len(FER2013_LABELS)), NO_LABEL])
    splits = _numbers(path, "usage", usage, range(len(USAGES)))
    if pixels.shape != (len(emotion), SIDE, SIDE) or pixels.dtype != np.uint8:
        raise BadInput(
            f"{path}: pixels are {pixels.dtype} {pixels.shape}, "
            f"expected uint8 ({len(emotion)}, {SIDE}, {SIDE})"
        )
    if emotion.shape != usage.shape:
        raise BadInput(f"{path}: emotion {emotion.shape} and usage {usage.shape} do not match")
    if votes is not None and (votes.shape != (len(emotion), len(TAGS)) or votes.dtype != np.uint8):
        raise BadInput(
            f"{path}: votes are {votes.dtype} {votes.shape}, "
            f"expected uint8 ({len(emotion)}, {len(TAGS)})"
        )
    labels[labels == NO_LABEL] = UNKNOWN
    return _data_set(path, pixels, labels, splits.astype(np.uint8), votes)


def _numbers(
    path: Path, name: str, values: npt.NDArray[Any], allowed: Collection[int]
) -> npt.NDArray[np.int64]:
    """An array of an archive as whole numbers `(n,)`.

    Raises:
        BadInput: it has other values than those allowed.
    """
    if values.ndim != 1 or values.dtype.kind not in "uif":
        raise BadInput(f"{path}: {name} is {values.dtype} {values.shape}, expected numbers (n,)")
    wrong = ~np.isin(values, list(allowed))
    if wrong.any():
        seen = values[wrong.argmax()]
        raise BadInput(
            f"{path}: {name} has {seen:g} at {wrong.argmax()}; emotion must be 0-6, or 255 for "
            "not known, and usage 0-2"
        )
    return values.astype(np.int64)


def read_csv(path: Path) -> DataSet:
    """Read Kaggle's `emotion,pixels,Usage`; pixels are 2,304 numbers parted by blanks.

    FER+'s `fer2013new.csv` in the same folder brings votes (`ferplus.py`).

    Raises:
        BadInput: names the line of the first malformed row.
    """
    images, labels, usages = [], [], []
    for line, emotion, pixels, usage in _rows(path):
        where = f"{path}, line {line}"
        images.append(_pixels(pixels, where))
        labels.append(_label(emotion, where))
        if usage not in USAGES:
            raise BadInput(f"{where}: Usage is {usage[:20]!r}, expected {', '.join(USAGES)}")
        usages.append(USAGES.index(usage))
    if not images:
        raise BadInput(f"{path}: has no rows")
    votes = path.with_name(FERPLUS)
    tags = read_tags(votes, [USAGES[usage] for usage in usages]) if votes.is_file() else None
    return _data_set(
        path, np.stack(images), np.array(labels, np.int64), np.array(usages, np.uint8), tags
    )


def _rows(path: Path) -> Iterator[tuple[int, str, str, str]]:
    """(line, emotion, pixels, Usage) of each row."""
    csv.field_size_limit(MAX_FIELD)
    with path.open(newline="", encoding="utf-8-sig") as file:
        try:
            reader = csv.reader(file)
            header = [name.strip() for name in next(reader, [])]
            if missing := [name for name in COLUMNS if name not in header]:
                raise BadInput(
                    f"{path}: no column {', '.join(missing)}; expected the header "
                    f"{','.join(COLUMNS)} of Kaggle's fer2013.csv"
                )
            places = [header.index(name) for name in COLUMNS]
            for row in reader:
                if not row:
                    continue
                if len(row) != len(header):
                    raise BadInput(
                        f"{path}, line {reader.line_num}: {len(row)} fields, expected {len(header)}"
                    )
                if reader.line_num > MAX_ROWS:
                    raise BadInput(f"{path}: more than {MAX_ROWS:,} rows")
                emotion, pixels, usage = (row[place].strip() for place in places)
                yield reader.line_num, emotion, pixels, usage
        except (csv.Error, UnicodeDecodeError) as error:
            raise BadInput(f"{path}: is no CSV file ({error})") from error


def _pixels(text: str, where: str) -> Gray:
    try:
        values = np.array([int(value) for value in text.split()], np.int64)
    except (ValueError, OverflowError) as error:
        raise BadInput(f"{where}: pixels hold something that is no whole number") from error
    if len(values) != SIDE * SIDE:
        raise BadInput(f"{where}: {len(values)} pixels, expected {SIDE * SIDE}")
    if values.min() < 0 or values.max() > 255:
        raise BadInput(f"{where}: pixels from {values.min()} to {values.max()}, expected 0-255")
    return values.astype(np.uint8).reshape(SIDE, SIDE)


def _label(text: str, where: str) -> int:
    if not text.isdecimal() or int(text) >= len(FER2013_LABELS):
        raise BadInput(f"{where}: emotion is {text[:20]!r}, expected 0-{len(FER2013_LABELS) - 1}")
    return int(text)


def _data_set(
    path: Path,
    pixels: Gray,
    labels: npt.NDArray[np.int64],
    usage: npt.NDArray[np.uint8],
    tags: npt.NDArray[np.uint8] | None = None,
) -> DataSet:
    splits = {}
    votes = None if tags is None else votes_by_class(tags)
    for number, name in enumerate(USAGES):
        rows = np.flatnonzero(usage == number)
        if len(rows):
            names = tuple(f"{name} {index}" for index in range(len(rows)))
            of_split = None if votes is None else votes[rows]
            splits[name] = LabelledFaces(pixels[rows], labels[rows], names, of_split)
    return DataSet(path.name, FER2013_LABELS, splits)
