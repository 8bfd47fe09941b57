"""Detectors opened for a measurement: every score wanted, and what computes them."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace

from fer_edge.engine.backends import Backend, open_backend
from fer_edge.engine.config import PipelineConfig
from fer_edge.engine.detector import FindFaces
from fer_edge.engine.errors import BadInput
from fer_edge.engine.model import sha256_of
from fer_edge.engine.stages import detector_of
from fer_edge.engine.types import Image

from ..plans import NO_NETWORK, plan_of


@dataclass(frozen=True)
class Opened:
    """A detector.

    Attributes:
        name: as it was given.
        find: gives what it finds at any score.
        config: how it is used.
        plan: what computes.
        sha256: of the file; None for one that is no network.
        default_score: at which it is used.
        backend: the network; None without one.
    """

    name: str
    find: FindFaces
    config: PipelineConfig
    plan: str
    sha256: str | None
    default_score: float
    backend: Backend | None

    def sees(self, image: Image) -> str:
        """The sizes of the network's input for a picture BGR uint8 `(h, w, 3)`."""
        height, width = image.shape[:2]
        facts = self.backend.facts if self.backend is not None else None
        if facts is None or facts.detector is None:
            return f"{width}x{height}"
        inputs = self.config.sizes.of(width, height, facts.input, facts.detector)
        return " and ".join(f"{see.width}x{see.height}" for see in inputs)


def open_detectors(
    models: Sequence[str], config: PipelineConfig, opened: ExitStack
) -> list[Opened]:
    """Open every detector.

    Args:
        models: names as `--detector` of `fer-run` takes them, and files.
        config: how they are used, but for the detector.
        opened: closes them.

    Raises:
        BadInput: one is named twice, or is no detector.
        FerError: one cannot be opened.
    """
    for name in models:
        if models.count(name) > 1:
            raise BadInput(f"{name} is named twice")
    return [_open(name, replace(config, detector=name), opened) for name in models]


def _open(name: str, config: PipelineConfig, opened: ExitStack) -> Opened:
    every_score = replace(config, min_score=0.0)
    path = config.detector_path
    if path is None:
        return Opened(name, detector_of(None, every_score), config, NO_NETWORK, None, 0.0, None)
    model = opened.enter_context(open_backend(path, config.backend))
    find = detector_of(model, every_score)
    facts = model.facts.detector
    assert facts is not None, "detector_of refuses others"
    plan = plan_of(model)
    return Opened(name, find, config, plan, sha256_of(path), facts.default_score, model)
