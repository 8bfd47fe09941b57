"""What is given for a model and is none: what it is, and what to give in its place."""

from __future__ import annotations

from pathlib import Path

from . import git_lfs

SAVED_MODEL = "saved_model.pb"
# SavedModel: its schema version, which is 1, then its first MetaGraphDef. ONNX files begin with
# their IR version, which has been 3 or more.
_SAVED_MODEL_BEGINNING = b"\x08\x01\x12"
_HDF5, _ZIP = b"\x89HDF\r\n\x1a\n", b"PK\x03\x04"
_SAVED_MODEL_HINT = (
    "a SavedModel of TensorFlow; of a detector give the frozen_inference_graph.pb that was "
    "exported beside it, of a Keras network the file that "
    "tf_keras.models.load_model(FOLDER).save('model.h5') writes"
)


def foreign(path: Path) -> str | None:
    """What a file or folder is that no program here reads, with a remedy; None for all else."""
    if path.is_dir():
        return _SAVED_MODEL_HINT if (path / SAVED_MODEL).is_file() else None
    head = _head(path)
    if git_lfs.is_pointer(head):
        return git_lfs.HINT
    return _SAVED_MODEL_HINT if head.startswith(_SAVED_MODEL_BEGINNING) else None


def original(path: Path) -> str | None:
    """What kind of file that only fer-convert reads this is; None for all else."""
    if _head(path).startswith((_HDF5, _ZIP)) and path.suffix in (".h5", ".hdf5", ".keras"):
        return "a Keras model"
    return "a TensorFlow graph" if path.suffix == ".pb" else None


def _head(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            return file.read(200)
    except OSError:
        return b""
