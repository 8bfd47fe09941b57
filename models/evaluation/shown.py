"""What models are asked about: the faces of one split, as they are or as a detector crops them."""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path

from fer_edge.engine.config import WHOLE_PICTURE
from fer_edge.engine.errors import BadInput

from ..data import DataSet, load_dataset
from ..data.crop import FaceCropper
from ..data.folder import read_folder, split_folders
from .crops import Cropping, Found, crop_in_scenes

# What an evaluation looks at where nobody says: the first of these that a data set has.
PREFERRED = ("PublicTest", "test", "val", "all")
View = tuple[DataSet, str, Cropping | None]


class Shown:
    """The faces of a split for models that may want them cut out differently.

    Args:
        path: of the data set: photographs in folders where there is a detector, else faces.
        split: its name; None for the first of `PREFERRED`.
        detector: finds faces in photographs, or labelled crops in scenes; None takes faces as
            they are.

    Raises:
        BadInput: a detector that finds nothing, or no such data set or split.
    """

    def __init__(self, path: Path, split: str | None, detector: str | None) -> None:
        if detector == WHOLE_PICTURE:
            raise BadInput(f"--crop {detector}: takes the whole picture; leave --crop out")
        self._path, self._detector = path, detector
        self._data = None
        if detector is None or not path.is_dir():
            self._data = load_dataset(path)
        splits = split_folders(path) if self._data is None else self._data.splits
        self._split = choose_split(path.name, splits, split)
        self._views: dict[float | None, View] = {}

    def to(self, crop_scale: float | None) -> View:
        """The data set, the split's name, and what a detector found of it.

        Args:
            crop_scale: of the model that looks, see `ExpressionFacts`.
        """
        if crop_scale not in self._views:
            self._views[crop_scale] = self._view(crop_scale)
        return self._views[crop_scale]

    def _view(self, crop_scale: float | None) -> View:
        data, split, detector = self._data, self._split, self._detector
        if detector is None:
            assert data is not None
            return data, split, None
        with FaceCropper(detector, crop_scale) as cropper:
            if data is None:
                data, missing = read_folder(self._path, cropper, keep_crops=True, only=split)
                found = data.splits[split]
                return data, split, Cropping(detector, Found(len(found) + len(missing), found))
            cropping = crop_in_scenes(data.splits[split], cropper, detector)
        splits = {**data.splits, split: cropping.usual.faces}
        return DataSet(data.name, data.classes, splits), split, cropping


def choose_split(data: str, splits: Collection[str], name: str | None) -> str:
    """The split to evaluate.

    Args:
        data: name of the data set.
        splits: that it has.
        name: of the one that is asked for, in any case; None for the first of `PREFERRED`.

    Raises:
        BadInput: the data set has none of that name.
    """
    names = {split.lower(): split for split in splits}
    if name is None:
        return next((split for split in PREFERRED if split in splits), next(iter(splits)))
    if name.lower() not in names:
        raise BadInput(f"{data}: no split {name!r}; it has {', '.join(splits)}")
    return names[name.lower()]
