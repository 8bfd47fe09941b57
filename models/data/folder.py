"""Folders of images: one sub-folder a class, also below `train`, `val` and `test`."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import cv2
import numpy as np

from fer_edge.engine.errors import BadInput
from fer_edge.engine.model import FER2013_LABELS
from fer_edge.engine.sources.images import read_image
from fer_edge.engine.sources.listing import find_images
from fer_edge.engine.types import Image

from .faces import SIDE, DataSet, Gray, LabelledFaces, as_gray

SPLITS = {"train": "train", "training": "train", "val": "val", "valid": "val"} | {
    "validation": "val",
    "test": "test",
    "testing": "test",
}

# Takes a BGR image and returns the part of it to look at, or None to leave it out.
Crop = Callable[[Image], Image | None]


def read_folder(
    path: Path, crop: Crop | None = None, keep_crops: bool = False, only: str | None = None
) -> tuple[DataSet, tuple[str, ...]]:
    """Read images as 48x48 gray faces.

    Args:
        path: holds a folder a class, or folders named train, val or test that do.
        crop: see `Crop`; None takes whole images.
        keep_crops: whether the faces keep what it gave, in its own size.
        only: the one split to read, a name of `split_folders`; None for all.

    Returns:
        The data set, and the names of images that `crop` left out. Classes are in
        FER2013's order where all their names are of it, else in alphabetical order.

    Raises:
        BadInput: no such folders, a class that one split lacks entirely, or a file with an
            image's name that is none.
    """
    roots = split_folders(path)
    classes = _classes(path, roots)
    splits, left_out = {}, []
    for name, root in roots.items():
        if only not in (None, name):
            continue
        splits[name], missing = _read_split(path, root, classes, crop, keep_crops)
        left_out += missing
    return DataSet(path.name, classes, splits), tuple(left_out)


def split_folders(path: Path) -> dict[str, Path]:
    """The folders of train, val and test by these names; `all` where there is no division.

    Raises:
        BadInput: other folders beside them.
    """
    folders = _children(path)
    named = {SPLITS[f.name.lower()]: f for f in folders if f.name.lower() in SPLITS}
    if named and len(named) != len(folders):
        others = [f.name for f in folders if f.name.lower() not in SPLITS]
        raise BadInput(f"{path}: has {', '.join(others)} beside {', '.join(named)}")
    return named or {"all": path}


def _children(path: Path) -> list[Path]:
    return sorted(f for f in path.iterdir() if f.is_dir() and not f.name.startswith("."))


def _classes(path: Path, roots: dict[str, Path]) -> tuple[str, ...]:
    found = {folder.name for root in roots.values() for folder in _children(root)}
    if len(found) < 2:
        raise BadInput(
            f"{path}: expected a folder of images for each class, also below train/ and test/; "
            f"found {', '.join(sorted(found)) or 'no folders'}"
        )
    if found <= set(FER2013_LABELS):
        return tuple(label for label in FER2013_LABELS if label in found)
    return tuple(sorted(found))


def _read_split(
    path: Path, root: Path, classes: Sequence[str], crop: Crop | None, keep_crops: bool
) -> tuple[LabelledFaces, list[str]]:
    images, labels, names, left_out = [], [], [], []
    crops: list[Gray] = []
    for label, name in enumerate(classes):
        folder = root / name
        # CK+ keeps a folder a person and a recording below each class.
        for file in _images(folder) if folder.is_dir() else []:
            image = read_image(file)
            chosen = crop(image) if crop else image
            relative = str(file.relative_to(path))
            if chosen is None:
                left_out.append(relative)
                continue
            images.append(gray_face(chosen))
            if keep_crops:
                crops.append(as_gray(chosen))
            labels.append(label)
            names.append(relative)
    if not images:
        raise BadInput(f"{root}: no face was found in {len(left_out)} images; take them uncropped")
    faces = LabelledFaces(
        np.stack(images), np.array(labels, np.int64), tuple(names), None,
        tuple(crops) if keep_crops else None,
    )  # fmt: skip
    return faces, left_out


def _images(folder: Path) -> list[Path]:
    try:
        return find_images(folder, recursive=True)
    except BadInput as error:
        raise BadInput(f"{folder}: no images of this class in it") from error


def gray_face(image: Image) -> Gray:
    """A BGR uint8 image `(h, w, 3)` as uint8 `(48, 48)`, resized as the runtime does."""
    gray = as_gray(image).astype(np.float32)
    shrinks = min(gray.shape) >= SIDE
    how = cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR
    return np.rint(cv2.resize(gray, (SIDE, SIDE), interpolation=how)).astype(np.uint8)
