"""Inference backends by name. Their libraries are imported only when one is opened."""

from __future__ import annotations

from dataclasses import dataclass
from importlib import import_module, metadata
from importlib.util import find_spec
from pathlib import Path
from typing import cast

from ..engine_file import is_engine
from ..errors import BackendUnavailable
from ..model import read_facts
from .base import Backend
from .fake import FakeBackend

__all__ = ["BACKENDS", "Backend", "BackendEntry", "FakeBackend", "open_backend"]


@dataclass(frozen=True)
class BackendEntry:
    """Where a backend lives and what it needs.

    Attributes:
        target: `module:class`, relative to this package.
        library: the module that must be importable.
        distribution: the name it is installed under.
        install: the command that brings it.
        use: what it is for, in a few words.
    """

    target: str
    library: str
    distribution: str
    install: str
    use: str

    def installed_version(self) -> str | None:
        """The version of the library, or None where it is missing."""
        if find_spec(self.library) is None:
            return None
        try:
            return metadata.version(self.distribution)
        except metadata.PackageNotFoundError:
            return "unknown version"


# In the order in which `auto` tries them.
BACKENDS: dict[str, BackendEntry] = {
    "openvino": BackendEntry(
        ".openvino:OpenVINOBackend", "openvino", "openvino", "pip install openvino", "CPU, default"
    ),
    "onnxruntime": BackendEntry(
        ".onnxruntime:ONNXRuntimeBackend",
        "onnxruntime",
        "onnxruntime",
        "pip install 'fer-edge[onnxruntime]'",
        "CPU, portable; CUDA with onnxruntime-gpu",
    ),
}


def open_backend(path: Path, name: str = "auto") -> Backend:
    """Open a converted model.

    Args:
        path: an ONNX file written by fer-convert.
        name: a key of `BACKENDS`, or `auto` for the first one installed.

    Raises:
        InputNotFound: no file at `path`.
        BadInput: a file that fer-convert did not write, or that cannot be loaded.
        BackendUnavailable: the library is not installed, or no such backend.
    """
    entry = BACKENDS[choose_backend(name)]
    if is_engine(path):
        raise BackendUnavailable(
            f"{path}: a TensorRT engine, which no backend here runs; give the ONNX file it was "
            "built from"
        )
    facts = read_facts(path)
    module, _, class_name = entry.target.partition(":")
    backend = cast(type[Backend], getattr(import_module(module, __package__), class_name))
    return backend.open(path, facts)


def choose_backend(name: str = "auto") -> str:
    """Return the key of the backend to use; see `open_backend` for its errors."""
    if name == "auto":
        for key, entry in BACKENDS.items():
            if entry.installed_version():
                return key
        raise BackendUnavailable("no inference backend is installed: pip install openvino")
    if name not in BACKENDS:
        raise BackendUnavailable(f"no backend {name!r}; there are {', '.join(BACKENDS)}")
    if BACKENDS[name].installed_version() is None:
        raise BackendUnavailable(f"backend {name} is not installed: {BACKENDS[name].install}")
    return name
