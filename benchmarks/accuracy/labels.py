"""Labelled pictures, in whatever form they come: found out by what is in the file."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from math import isfinite
from pathlib import Path

import numpy as np

from fer_edge.engine.errors import BadInput, InputNotFound

from .matching import Truths

FORMS = (
    "WIDER FACE's text, a folder of Pascal VOC's XML, COCO's JSON, or faces.json "
    '({"picture.jpg": [{"box_xywh": [x, y, w, h]}]})'
)
# WIDER FACE's largest is 7 MB, COCO's instances of 2017 450 MB.
MAX_BYTES = 1 << 30


@dataclass(frozen=True)
class Labelled:
    """One labelled face.

    Attributes:
        box: `(x, y, w, h)` in pixels.
        ignored: whether finding it, or not, says nothing.
        crowd: whether it is a region of many faces.
    """

    box: tuple[float, float, float, float]
    ignored: bool = False
    crowd: bool = False

    def __post_init__(self) -> None:
        if len(self.box) != 4 or not all(isfinite(value) for value in self.box):
            raise BadInput(f"box {self.box} is not four numbers")


@dataclass(frozen=True)
class Picture:
    """A picture with its faces.

    Attributes:
        path: of the file, which need not be there.
        truths: its faces.
    """

    path: Path
    truths: Truths


@dataclass(frozen=True)
class Labels:
    """A set of labelled pictures.

    Attributes:
        form: in words.
        pictures: in the order of the labels.
    """

    form: str
    pictures: tuple[Picture, ...]


def read_labels(path: Path, images: Path | None = None) -> Labels:
    """Read labels in any of the forms known.

    Args:
        path: a file, or a folder of XML files or with a `faces.json`.
        images: the folder that the pictures' names begin in; None to look for it near by.

    Raises:
        InputNotFound: nothing at `path`.
        BadInput: none of the forms, or damaged.
    """
    from . import label_forms

    if not path.exists():
        raise InputNotFound(f"{path}: no such labels")
    if path.is_dir():
        found = path / "faces.json"
        if not found.is_file():
            return _placed("Pascal VOC", label_forms.voc(path), path, images)
        path = found
    if path.stat().st_size > MAX_BYTES:
        raise BadInput(f"{path}: {path.stat().st_size} bytes are more than labels have")
    try:
        text = path.read_text(encoding="utf-8")
        if text.lstrip()[:1] in ("{", "["):
            form, faces = label_forms.from_json(json.loads(text))
        else:
            form, faces = "WIDER FACE", label_forms.wider(text)
        return _placed(form, faces, path.parent, images)
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError, OSError) as error:
        reason = " ".join(str(error).split())
        raise BadInput(f"{path}: not labels of a known form ({reason}); give {FORMS}") from error


def _placed(
    form: str, faces: Iterator[tuple[str, Sequence[Labelled]]], near: Path, images: Path | None
) -> Labels:
    """The pictures with the folder they lie in."""
    named = list(faces)
    if not named:
        raise BadInput(f"{near}: labels of no picture")
    folder = images or _folder_of([name for name, _ in named], near)
    return Labels(form, tuple(Picture(folder / name, truths_of(found)) for name, found in named))


def _folder_of(names: Sequence[str], near: Path) -> Path:
    """The folder near the labels in which most of some pictures are."""
    beside = ("images", "Images", "JPEGImages", "WIDER_val/images", "WIDER_train/images")
    folders = [near, *(near / name for name in beside), *(near.parent / name for name in beside)]
    some = names[:: max(1, len(names) // 20)]
    return max(folders, key=lambda folder: sum((folder / name).is_file() for name in some))


def truths_of(faces: Sequence[Labelled]) -> Truths:
    """Labelled faces as arrays; a box without area is ignored."""
    boxes = np.array([face.box for face in faces], np.float32).reshape(-1, 4)
    crowd = np.array([face.crowd for face in faces], bool)
    ignored = np.array([face.ignored for face in faces], bool)
    return Truths(boxes, ignored | crowd | (boxes[:, 2:].min(axis=1, initial=1.0) <= 0), crowd)
