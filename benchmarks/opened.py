"""Models opened for a measurement, with what computes them."""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from fer_edge.engine.backends import Backend
from fer_edge.engine.config import PipelineConfig
from fer_edge.engine.detector import FindFaces
from fer_edge.engine.model import sha256_of
from fer_edge.engine.plans import open_model
from fer_edge.engine.stages import detector_of
from fer_edge.engine.types import Image

from .engine_run import detector_name
from .plans import plan_of

# What computes a detector that is no network: OpenCV's cascade, or the whole picture.
NO_NETWORK = "no network, CPU"


@dataclass(frozen=True)
class Opened:
    """A detector.

    Attributes:
        name: by which it ships, or that of its file.
        find: finds the faces.
        config: how it is used.
        backend: the network; None without one.
        source_sha256: of what it was converted from; its name without a network.
        file_sha256: of the file; None without a network.
        default_score: at which it is used unless asked otherwise, 0-1.
    """

    name: str
    find: FindFaces
    config: PipelineConfig
    backend: Backend | None
    source_sha256: str
    file_sha256: str | None
    default_score: float

    @property
    def plan(self) -> str:
        """What computes; the number of threads is known when it has."""
        return plan_of(self.backend) if self.backend else NO_NETWORK

    @property
    def library(self) -> str:
        """What computes, in one word."""
        return self.backend.plan.backend if self.backend else "opencv"

    @property
    def precision(self) -> str:
        """Of the arithmetic."""
        return self.backend.precision if self.backend else "int32"

    @property
    def device(self) -> str:
        """Where it computes."""
        return self.backend.device if self.backend else "CPU"

    def sees(self, image: Image) -> str:
        """The sizes of the network's input for a picture BGR uint8 `(h, w, 3)`."""
        height, width = image.shape[:2]
        facts = self.backend.facts if self.backend is not None else None
        if facts is None or facts.detector is None:
            return f"{width}x{height}"
        inputs = self.config.sizes.of(width, height, facts.input, facts.detector)
        return " and ".join(f"{see.width}x{see.height}" for see in inputs)


def open_detector(config: PipelineConfig, opened: ExitStack) -> Opened:
    """Open the detector of a configuration; `opened` closes it.

    Raises:
        FerError: it is missing or unusable.
    """
    name, path = detector_name(config), config.detector_path
    if path is None:
        return Opened(name, detector_of(None, config), config, None, name, None, 0.0)
    model = opened.enter_context(open_model(path, config.plan))
    find = detector_of(model, config)
    facts = model.facts.detector
    assert facts is not None, "detector_of refuses others"
    return Opened(
        name, find, config, model, model.facts.source_sha256,
        _file_sha256(model, path), facts.default_score,
    )  # fmt: skip


@dataclass(frozen=True)
class ExpressionModel:
    """An expression model that was looked at.

    Attributes:
        plan: what computes.
        source_sha256: of what it was converted from.
        file_sha256: of the file.
    """

    plan: str
    source_sha256: str
    file_sha256: str


def describe_expression(config: PipelineConfig) -> ExpressionModel:
    """Open the expression model of a configuration, and close it again.

    Raises:
        FerError: it is missing or unusable.
    """
    path = config.expression_path
    with open_model(path, config.plan) as model:
        see = model.facts.input
        # Threads are known when it has run.
        model.infer({see.name: np.zeros((1, see.channels, see.height, see.width), np.float32)})
        return ExpressionModel(plan_of(model), model.facts.source_sha256, _file_sha256(model, path))


def _file_sha256(model: Backend, path: Path) -> str:
    """Of the file that runs: a plan may take another one beside it."""
    return sha256_of(path.with_name(model.plan.file) if model.plan.file else path)
