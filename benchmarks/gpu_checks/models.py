"""The engines that `engines` left, and pictures to try them on."""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from fer_edge.engine.backends import Backend, open_backend
from fer_edge.engine.backends.tensorrt import TensorRTBackend
from fer_edge.engine.config import DETECTOR_FILE, EXPRESSION_FILE, shipped_weights
from fer_edge.engine.errors import BackendUnavailable
from fer_edge.engine.types import Image

from . import Skipped

ROOT = Path(__file__).parents[2]


def open_engines(work: Path, opened: ExitStack) -> tuple[TensorRTBackend, TensorRTBackend]:
    """The detector and the expression model, by the full TensorRT where it is there."""
    for target in ("tensorrt", "tensorrt-rtx"):
        places = [
            work / f"{target}-{Path(n).stem}.engine" for n in (DETECTOR_FILE, EXPRESSION_FILE)
        ]
        if all(place.is_file() for place in places):
            try:
                first, second = (TensorRTBackend.open(place) for place in places)
            except BackendUnavailable as error:
                raise Skipped(str(error)) from error
            opened.enter_context(first)
            opened.enter_context(second)
            return first, second
    raise Skipped("no engine was built")


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
