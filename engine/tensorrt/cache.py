"""Engines that the runtime built by itself, kept between runs.

An engine is code, so the folder is its user's alone, and a file appears under its name only
when it is whole. The name is a hash of everything that changes the bytes.
"""

from __future__ import annotations

import hashlib
import json
import os
import stat
import tempfile
from dataclasses import asdict, dataclass
from pathlib import Path

from ..cuda.gpu import GPU
from ..errors import OutputNotWritable
from ..folders import cache_folder
from .options import EngineOptions

# Of the builder in this package: raise it when the same choices make other engines.
RECIPE = 1
_SHOWN_DIGITS = 12


@dataclass(frozen=True)
class CacheKey:
    """Everything that changes an engine's bytes.

    Attributes:
        onnx_sha256: of the ONNX file; the precision is in its graph, and told for people.
        version: of the library.
        gpu: name, compute capability and driver.
        precision: of the model.
        options: of the build; shapes are in it.
    """

    onnx_sha256: str
    version: str
    gpu: GPU
    precision: str
    options: EngineOptions

    def digest(self) -> str:
        """A hash of all of them, in hexadecimal digits."""
        values = {"recipe": RECIPE, **asdict(self)}
        text = json.dumps(values, sort_keys=True, default=str)
        return hashlib.sha256(text.encode()).hexdigest()


def cached_path(onnx: Path, key: CacheKey) -> Path:
    """Where the engine of an ONNX file is kept; both begin alike for people's eyes."""
    return cache_folder() / f"{_prefix(onnx, key.onnx_sha256)}{key.digest()[:32]}.engine"


def has_engine_of(onnx: Path, onnx_sha256: str) -> bool:
    """Whether any engine of an ONNX file is kept, for whatever library and GPU."""
    start = _prefix(onnx, onnx_sha256)
    try:
        return any(path.name.startswith(start) for path in cache_folder().glob("*.engine"))
    except OSError:
        return False


def keep(path: Path, data: bytes) -> None:
    """Write a file into the cache, for the user's eyes alone, and move it into place.

    Raises:
        OutputNotWritable: the folder cannot be made or written to, or others can write to it.
    """
    try:
        own_folder(path.parent)
        # With mode 0600, under a name that no other process takes.
        handle, name = tempfile.mkstemp(prefix=".", suffix=".partial", dir=path.parent)
        try:
            with os.fdopen(handle, "wb") as file:
                file.write(data)
                file.flush()
                # A crash of the machine must not leave a name without the content.
                os.fsync(file.fileno())
            Path(name).replace(path)
        except BaseException:
            Path(name).unlink(missing_ok=True)
            raise
    except OutputNotWritable:
        raise
    except OSError as error:
        raise OutputNotWritable(f"{path}: cannot be written ({error.strerror})") from error


def own_folder(folder: Path) -> None:
    """Make sure that a folder is there and that nobody else can put engines into it.

    Raises:
        OutputNotWritable: it belongs to another user, or others may write to it.
    """
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    found = folder.stat()
    if found.st_uid != os.getuid():
        raise OutputNotWritable(
            f"{folder}: belongs to another user, and engines are code: name a cache of your own "
            "in FER_EDGE_CACHE"
        )
    if found.st_mode & (stat.S_IWGRP | stat.S_IWOTH):
        raise OutputNotWritable(
            f"{folder}: others may write to it, and engines are code: chmod 700 {folder}"
        )
    if stat.S_IMODE(found.st_mode) != 0o700:
        folder.chmod(0o700)


def _prefix(onnx: Path, onnx_sha256: str) -> str:
    return f"{onnx.stem}-{onnx_sha256[:_SHOWN_DIGITS]}-"
