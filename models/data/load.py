"""A data set from whatever is at a path."""

from __future__ import annotations

from pathlib import Path

from fer_edge.engine import git_lfs
from fer_edge.engine.errors import BadInput, InputNotFound

from .faces import DataSet
from .fer2013 import read_csv, read_npz
from .folder import Crop, read_folder


def load_dataset(path: Path, crop: Crop | None = None) -> DataSet:
    """Read Kaggle's `fer2013.csv`, a FER2013 `.npz`, or a folder of images.

    Args:
        path: of the file or folder.
        crop: cuts faces out of a folder's images; see `read_folder`.

    Raises:
        InputNotFound: nothing at `path`.
        BadInput: none of the three, or a malformed one.
    """
    if path.is_dir():
        return read_folder(path, crop)[0]
    if not path.is_file():
        raise InputNotFound(
            f"{path}: no such data set; expected fer2013.csv, an .npz of FER2013, "
            "or a folder with a folder of images for each class"
        )
    if (pointer := git_lfs.hint_for(path)) is not None:
        raise BadInput(f"{path}: not a FER2013 archive, but {pointer}")
    if path.suffix.lower() == ".npz":
        return read_npz(path)
    if path.suffix.lower() == ".csv":
        return read_csv(path)
    raise BadInput(f"{path}: expected fer2013.csv, an .npz of FER2013, or a folder of images")
