"""Frames a second of the whole pipeline, and how they compare with those published in 2019."""

from __future__ import annotations

from contextlib import ExitStack
from itertools import product
from time import perf_counter
from typing import Any

from fer_edge.engine.backends import Backend, open_backend
from fer_edge.engine.config import (
    DETECTOR_FILE,
    DETECTOR_FILES,
    EXPRESSION_FILE,
    PipelineConfig,
    shipped_weights,
)
from fer_edge.engine.cuda.gpu import present_gpu
from fer_edge.engine.errors import FerError
from fer_edge.engine.pipeline import Pipeline
from fer_edge.engine.sources import open_source
from fer_edge.engine.sources.base import LosslessFeed, Reader, SourceInfo
from fer_edge.engine.stages import stages_of
from fer_edge.engine.types import Frame

from . import Skipped
from .models import open_engine

# GTX 1080 Ti, 640x480, detection every 10th frame; capture and display outside the clock.
# What was published is of its own detector; beside it, the one that is taken by default.
PUBLISHED_FPS = {"with expressions": 78.0, "detection alone": 158.0}
DETECTORS = {"published": DETECTOR_FILE, "default": DETECTOR_FILES["default"]}
EVERY = 10
WARM, FRAMES = 50, 1000
RUN_S = 8.0


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
    for name, what, which in product(("tensorrt", "onnxruntime"), PUBLISHED_FPS, DETECTORS):
        run = f"{name}, {what}, {which} detector"
        try:
            results[run] = row = _measure(
                name, DETECTORS[which], what == "with expressions", frames, options
            )
        except (FerError, Skipped) as error:
            reasons[run] = str(error)
            continue
        if which == "published":
            row["ratio to published"] = row["fps"] / PUBLISHED_FPS[what]
    if not any(row["device"] == "CUDA" for row in results.values()):
        raise Skipped(f"nothing ran on a GPU; {results or reasons}")
    return {"runs": results, "not run": reasons}


def _measure(
    name: str, detector: str, classify: bool, frames: list[Frame], options: Any
) -> dict[str, Any]:
    with ExitStack() as opened:
        first = _model(name, detector, options, opened)
        second = _model(name, EXPRESSION_FILE, options, opened) if classify else None
        config = PipelineConfig(detect_every=EVERY)
        stages = stages_of(first, second, config, ExitStack())
        opened.callback(stages.close)
        feed = stages.feeding(LosslessFeed(Held(frames)))
        pipeline = Pipeline.from_stages(feed, stages, config)
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
        return {
            "device": first.device, "precision": first.precision, "frames": done,
            "faces a frame": faces / done, "fps": done / elapsed,
        }  # fmt: skip


def _model(name: str, file: str, options: Any, opened: ExitStack) -> Backend:
    if name == "tensorrt":
        return open_engine(options.work, file, opened)
    return opened.enter_context(open_backend(shipped_weights(file), name))
