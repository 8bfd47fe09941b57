"""The engines that `engines` left, and pictures to try them on."""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from fer_edge.engine.backends import Backend, open_backend
from fer_edge.engine.backends.tensorrt import TensorRTBackend
from fer_edge.engine.config import DETECTOR_FILES, EXPRESSION_FILE, shipped_weights
from fer_edge.engine.errors import BackendUnavailable
from fer_edge.engine.types import Image

from . import Skipped

ROOT = Path(__file__).parents[2]
# Files of the shipped detectors, each once.
DETECTORS = tuple(dict.fromkeys(DETECTOR_FILES.values()))
MODELS = (*DETECTORS, EXPRESSION_FILE)


def engine_place(work: Path, target: str, name: str) -> Path:
    """Where the engine of a shipped model is left."""
    return work / f"{target}-{Path(name).stem}.engine"


def open_engine(work: Path, name: str, opened: ExitStack) -> TensorRTBackend:
    """A shipped model, by the full TensorRT where it is there."""
    for target in ("tensorrt", "tensorrt-rtx"):
        place = engine_place(work, target, name)
        if place.is_file():
            try:
                backend = TensorRTBackend.open(place)
            except BackendUnavailable as error:
                raise Skipped(str(error)) from error
            opened.callback(backend.close)
            return backend
    raise Skipped(f"no engine of {name} was built")


def open_on_cpu(name: str, opened: ExitStack) -> Backend:
    """A shipped model on the CPU, as it is in fp32 or fp16."""
    try:
        return opened.enter_context(open_backend(shipped_weights(name), "onnxruntime"))
    except BackendUnavailable:
        return opened.enter_context(open_backend(shipped_weights(name), "openvino"))


def pictures(folder: Path | None) -> list[Image]:
    """BGR uint8 photographs: the product's own, and those in a folder."""
    paths = [ROOT / "engine" / "sources" / "astronaut.jpg"]
    if folder is not None:
        paths += sorted(path for path in folder.iterdir() if path.suffix in (".jpg", ".png"))
    images = [cv2.imread(str(path)) for path in paths]
    return [np.asarray(image, np.uint8) for image in images if image is not None]


def noise(shape: tuple[int, ...], seed: int = 0) -> Any:
    """Random float32 numbers."""
    return np.random.default_rng(seed).normal(size=shape).astype(np.float32)
