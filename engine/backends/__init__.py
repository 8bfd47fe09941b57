"""Inference backends by name. Their libraries are imported only when one is opened."""

from __future__ import annotations

import os
import sys
from dataclasses import dataclass, replace
from importlib import import_module, metadata
from importlib.util import find_spec
from pathlib import Path
from typing import cast

from ..engine_file import is_engine
from ..errors import BackendUnavailable
from ..model import sha256_of
from .base import Backend
from .fake import FakeBackend
from .plan import Plan

# No library speaks to its maker. OpenVINO imports this one by itself, which looks up an analytics
# host and writes to the user's home; without it OpenVINO takes a stand-in of its own that does
# nothing. ONNX Runtime queues its events below the user's home from the moment it is imported.
sys.modules.setdefault("openvino_telemetry", None)  # type: ignore[arg-type]
os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")

__all__ = ["BACKENDS", "Backend", "BackendEntry", "FakeBackend", "Plan", "open_backend"]


@dataclass(frozen=True)
class BackendEntry:
    """Where a backend lives and what it needs.

    Attributes:
        target: `module:class`, relative to this package.
        libraries: (module, the name it is installed under) of those of which one must be
            importable.
        install: the command that brings it.
        use: what it is for, in a few words.
        also: modules that must be importable too.
    """

    target: str
    libraries: tuple[tuple[str, str], ...]
    install: str
    use: str
    also: tuple[str, ...] = ()

    def installed_version(self) -> str | None:
        """The version of the library, or None where something is missing."""
        if any(find_spec(module) is None for module in self.also):
            return None
        there = [pair for pair in self.libraries if find_spec(pair[0]) is not None]
        for _, distribution in there:
            try:
                return metadata.version(distribution)
            except metadata.PackageNotFoundError:
                continue
        return "unknown version" if there else None


# In the order in which `auto` tries them, but for TensorRT: see `choose_backend`.
BACKENDS: dict[str, BackendEntry] = {
    "openvino": BackendEntry(
        ".openvino:OpenVINOBackend",
        (("openvino", "openvino"),),
        "pip install openvino",
        "CPU, default",
    ),
    "onnxruntime": BackendEntry(
        ".onnxruntime:ONNXRuntimeBackend",
        (("onnxruntime", "onnxruntime"),),
        "pip install 'fer-edge[onnxruntime]'",
        "CPU, portable; CUDA with onnxruntime-gpu",
    ),
    "tensorrt": BackendEntry(
        ".tensorrt:TensorRTBackend",
        (
            ("tensorrt", "tensorrt"),
            ("tensorrt_rtx", "tensorrt-rtx-cu12"),
            ("tensorrt_rtx", "tensorrt-rtx-cu13"),
            ("tensorrt_lean", "tensorrt-lean-cu12"),
        ),
        "pip install 'fer-edge[tensorrt]', or 'fer-edge[tensorrt-rtx]' pycuda",
        "NVIDIA GPU",
        also=("pycuda",),
    ),
}


def open_backend(path: Path, how: str | Plan = "auto") -> Backend:
    """Open a converted model. Nothing is measured: see `plans.open_model`.

    Args:
        path: an ONNX or engine file written by fer-convert.
        how: a plan; or a key of `BACKENDS`, or `auto`, see `choose_backend`, which runs it in
            plain fp32.

    Raises:
        InputNotFound: no file at `path`.
        BadInput: a file that fer-convert did not write, or that cannot be loaded.
        BackendUnavailable: the library is not installed, or no such backend.
    """
    plan, named = how if isinstance(how, Plan) else None, path
    chosen = choose_backend(how.backend if isinstance(how, Plan) else how, path)
    if plan is not None and plan.file:
        path = path.with_name(plan.file)
    entry = BACKENDS[chosen]
    if is_engine(path) and chosen != "tensorrt":
        raise BackendUnavailable(
            f"{path}: a TensorRT engine, which {chosen} does not run; take --backend tensorrt, "
            "or the ONNX file it was built from"
        )
    module, _, class_name = entry.target.partition(":")
    backend = cast(type[Backend], getattr(import_module(module, __package__), class_name))
    opened = backend.open(path, plan)
    opened.path = named
    if plan is not None:
        opened.plan = replace(opened.plan, file=plan.file)
    return opened


def choose_backend(name: str = "auto", path: Path | None = None) -> str:
    """Return the key of the backend to use.

    `auto` takes TensorRT for an engine, and for an ONNX file of which an engine is in the
    user's cache, on a machine that can run it; else the first of the others that is installed.

    Raises:
        BackendUnavailable: the library is not installed, or no such backend.
    """
    if name == "auto":
        if path is not None and is_engine(path):
            return choose_backend("tensorrt")
        if path is not None and _has_engine_ready(path):
            return "tensorrt"
        for key, entry in BACKENDS.items():
            if key != "tensorrt" and entry.installed_version():
                return key
        raise BackendUnavailable("no inference backend is installed: pip install openvino")
    if name not in BACKENDS:
        raise BackendUnavailable(f"no backend {name!r}; there are {', '.join(BACKENDS)}")
    if BACKENDS[name].installed_version() is None:
        raise BackendUnavailable(f"backend {name} is not installed: {BACKENDS[name].install}")
    return name


def _has_engine_ready(path: Path) -> bool:
    """Whether this machine has all that runs a model on its GPU without building first."""
    if BACKENDS["tensorrt"].installed_version() is None or not path.is_file():
        return False
    from ..cuda.gpu import present_gpu
    from ..tensorrt.cache import has_engine_of

    if not has_engine_of(path, sha256_of(path)):
        return False
    return present_gpu() is not None
