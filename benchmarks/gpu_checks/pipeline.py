"""Frames a second of the whole pipeline, and how they compare with those published in 2019."""

from __future__ import annotations

from contextlib import ExitStack
from time import perf_counter
from typing import Any

from fer_edge.engine.backends import Backend, open_backend
from fer_edge.engine.config import (
    DETECTOR_FILE,
    EXPRESSION_FILE,
    PipelineConfig,
    shipped_weights,
)
from fer_edge.engine.cuda.gpu import present_gpu
from fer_edge.engine.errors import FerError
from fer_edge.engine.pipeline import Pipeline
from fer_edge.engine.scheduler import Schedule
from fer_edge.engine.sources import open_source
from fer_edge.engine.sources.base import LosslessFeed, Reader, SourceInfo
from fer_edge.engine.stages import stages_of
from fer_edge.engine.tracking import open_tracker
from fer_edge.engine.types import Frame

from . import Skipped
from .models import open_engines

# GTX 1080 Ti, 640x480, detection every 10th frame; capture and display outside the clock.
PUBLISHED_FPS = {"with expressions": 78.0, "detection alone": 158.0}
EVERY = 10
WARM, FRAMES = 50, 1000
RUN_S = 12.0


class Held(Reader):
    """Frames of the demo, made before the clock starts."""

    def __init__(self, frames: list[Frame]) -> None:
        self.info = SourceInfo("demo, held", 30.0, None, live=False)
        self._frames = frames
        self._next = 0

    def read(self) -> Frame | None:
        """The next one, over and over."""
        frame = self._frames[self._next % len(self._frames)]
        self._next += 1
        return Frame(frame.image, self._next, self._next / 30)

    def close(self) -> None:
        """Nothing is open."""


def check(options: Any) -> dict[str, Any]:
    """In the clock: from a frame in memory to faces with expressions, but no output."""
    if present_gpu() is None:
        raise Skipped("no NVIDIA GPU or driver here")
    with open_source("demo") as source:
        frames = [frame for _, frame in zip(range(200), source, strict=False)]
    results: dict[str, Any] = {}
    reasons: dict[str, str] = {}
    for name in ("tensorrt", "onnxruntime"):
        for what, published in PUBLISHED_FPS.items():
            try:
                results[f"{name}, {what}"] = _measure(
                    name, what == "with expressions", frames, published, options
                )
            except (FerError, Skipped) as error:
                reasons[f"{name}, {what}"] = str(error)
    if not any(row["device"] == "CUDA" for row in results.values()):
        raise Skipped(f"nothing ran on a GPU; {results or reasons}")
    return {"runs": results, "not run": reasons}


def _measure(
    name: str, classify: bool, frames: list[Frame], published: float, options: Any
) -> dict[str, Any]:
    with ExitStack() as opened:
        first, second = _models(name, classify, options, opened)
        stages = stages_of(first, second, PipelineConfig(), ExitStack())
        opened.callback(stages.close)
        pipeline = Pipeline(
            stages.feeding(LosslessFeed(Held(frames))), stages.detector,
            open_tracker("kcf", followers=stages.followers), Schedule(EVERY), stages.classifier,
        )  # fmt: skip
        opened.enter_context(pipeline)
        results = iter(pipeline)
        for _ in range(WARM):
            next(results)
        faces, done = 0, 0
        started = perf_counter()
        while done < FRAMES and perf_counter() - started < RUN_S:
            faces += len(next(results).faces)
            done += 1
        elapsed = perf_counter() - started
        fps = done / elapsed
        return {
            "device": first.device, "precision": first.precision, "frames": done,
            "faces a frame": faces / done, "fps": fps, "ratio to published": fps / published,
        }  # fmt: skip


def _models(
    name: str, classify: bool, options: Any, opened: ExitStack
) -> tuple[Backend, Backend | None]:
    if name == "tensorrt":
        first, second = open_engines(options.work, opened)
        return first, second if classify else None
    detector = opened.enter_context(open_backend(shipped_weights(DETECTOR_FILE), name))
    if not classify:
        return detector, None
    return detector, opened.enter_context(open_backend(shipped_weights(EXPRESSION_FILE), name))
