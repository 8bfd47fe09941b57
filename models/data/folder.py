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

from .faces import SIDE, DataSet, Gray, LabelledFaces

SPLITS = {"train": "train", "training": "train", "val": "val", "valid": "val"} | {
    "validation": "val",
    "test": "test",
    "testing": "test",
}

# Takes a BGR image and returns the part of it to look at, or None to leave it out.
Crop = Callable[[Image], Image | None]


def read_folder(path: Path, crop: Crop | None = None) -> tuple[DataSet, tuple[str, ...]]:
    """Read images as 48x48 gray faces.

    Args:
        path: holds a folder a class, or folders named train, val or test that do.
        crop: see `Crop`; None takes whole images.

    Returns:
        The data set, and the names of images that `crop` left out. Classes are in
        FER2013's order where all their names are of it, else in alphabetical order.

    Raises:
        BadInput: no such folders, a class that one split lacks entirely, or a file with an
            image's name that is none.
    """
    folders = _children(path)
    named = {SPLITS[f.name.lower()]: f for f in folders if f.name.lower() in SPLITS}
    if named and len(named) != len(folders):
        others = [f.name for f in folders if f.name.lower() not in SPLITS]
        raise BadInput(f"{path}: has {', '.join(others)} beside {', '.join(named)}")
    roots = named or {"all": path}
    classes = _classes(path, roots)
    splits, left_out = {}, []
    for name, root in roots.items():
        splits[name], missing = _read_split(path, root, classes, crop)
        left_out += missing
    return DataSet(path.name, classes, splits), tuple(left_out)


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
    path: Path, root: Path, classes: Sequence[str], crop: Crop | None
) -> tuple[LabelledFaces, list[str]]:
    images, labels, names, left_out = [], [], [], []
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
            labels.append(label)
            names.append(relative)
    if not images:
        raise BadInput(f"{root}: no face was found in {len(left_out)} images; try --no-crop")
    return LabelledFaces(np.stack(images), np.array(labels, np.int64), tuple(names)), left_out


def _images(folder: Path) -> list[Path]:
    try:
        return find_images(folder, recursive=True)
    except BadInput as error:
        raise BadInput(f"{folder}: no images of this class in it") from error


def gray_face(image: Image) -> Gray:
    """A BGR uint8 image `(h, w, 3)` as uint8 `(48, 48)`, resized as the runtime does."""
    gray = cv2.cvtColor(image, cv2.COLOR_BGR2GRAY).astype(np.float32)
    shrinks = min(gray.shape) >= SIDE
    how = cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR
    return np.rint(cv2.resize(gray, (SIDE, SIDE), interpolation=how)).astype(np.uint8)
