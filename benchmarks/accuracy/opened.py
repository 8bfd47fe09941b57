"""Detectors opened for a measurement: every score wanted, and what computes them."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from fer_edge.engine.backends import Backend, open_backend
from fer_edge.engine.config import shipped_weights
from fer_edge.engine.detector import Detector, FindFaces
from fer_edge.engine.errors import BadInput
from fer_edge.engine.haar import HaarDetector
from fer_edge.engine.model import sha256_of
from fer_edge.engine.types import Image

from ..plans import plan_of


@dataclass(frozen=True)
class Opened:
    """A detector.

    Attributes:
        name: as it was given.
        find: gives what it finds at any score.
        plan: what computes.
        sha256: of the file; None for one that is no network.
        default_score: at which it is used.
        backend: the network; None without one.
    """

    name: str
    find: FindFaces
    plan: str
    sha256: str | None
    default_score: float
    backend: Backend | None

    def sees(self, image: Image) -> str:
        """The size of the network's input for a picture BGR uint8 `(h, w, 3)`."""
        if self.backend is None:
            height, width = image.shape[:2]
            return f"{width}x{height}"
        facts = self.backend.facts.input
        return f"{facts.width}x{facts.height}"


def open_detectors(models: Sequence[str], backend: str, opened: ExitStack) -> list[Opened]:
    """Open every detector.

    Args:
        models: names as `--detector` of `fer-run` takes them, and files.
        backend: see `open_backend`.
        opened: closes them.

    Raises:
        BadInput: one is named twice, or is no detector.
        FerError: one cannot be opened.
    """
    for name in models:
        if models.count(name) > 1:
            raise BadInput(f"{name} is named twice")
    return [_open(name, backend, opened) for name in models]


def _open(name: str, backend: str, opened: ExitStack) -> Opened:
    if name == "haar":
        return Opened(name, HaarDetector(), "OpenCV's cascade on CPU", None, 0.0, None)
    path = shipped_weights("face_detector.onnx") if name in ("default", "ssd") else Path(name)
    model = opened.enter_context(open_backend(path, backend))
    find = Detector(model, 0.0)
    facts = model.facts.detector
    assert facts is not None, "Detector refuses others"
    return Opened(name, find, plan_of(model), sha256_of(path), facts.default_score, model)
