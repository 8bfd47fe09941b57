"""Start-up, first result and memory, each in a process of its own.

    python -m fer_edge.benchmarks.startup OPTIONS.json

is what `measure_startup` starts: it loads the models, runs some frames and prints one
JSON object. What it shares with a user's program is everything; what it leaves out is the
shell.
"""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from time import perf_counter
from typing import Any

import numpy as np

from fer_edge.engine.config import PipelineConfig
from fer_edge.engine.errors import SourceFailed
from fer_edge.engine.folders import CACHE_VARIABLE
from fer_edge.engine.input_size import FaceSize
from fer_edge.engine.sources import Connection
from fer_edge.engine.types import Image

from .records import DemoStart, Startup

SAMPLES = 3
# About half of the demo.
DEMO_FRAMES = 300


@dataclass(frozen=True)
class Once:
    """What one process says of itself.

    Attributes:
        ready_at_s, first_result_at_s: on `perf_counter`, which all processes of a Linux
            machine share.
        reading_s: spent on the benchmark's frames in between, no part of a start.
        peak_rss_bytes, frames: at its end.
    """

    ready_at_s: float
    first_result_at_s: float
    reading_s: float
    peak_rss_bytes: int
    frames: int


def measure_startup(config: PipelineConfig, frames: list[Image], run_frames: int) -> Startup:
    """Start processes that run `run_frames` frames of a loop each, and sum up.

    Raises:
        SourceFailed: a process ended without a result.
    """
    with tempfile.TemporaryDirectory(prefix="fer-bench-") as folder:
        np.save(Path(folder, "frames.npy"), np.stack(frames))
        options = _written(config, Path(folder), run_frames, Path(folder, "frames.npy"))
        runs = [_start(options) for _ in range(SAMPLES)]
    return Startup(
        ready_s=statistics.median(
            once.ready_at_s - once.reading_s - started for started, once in runs
        ),
        first_result_s=_first_result_s(runs),
        samples=SAMPLES,
        peak_rss_bytes=max(once.peak_rss_bytes for _, once in runs),
        frames_bytes=sum(frame.nbytes for frame in frames),
        frames=run_frames,
    )


def measure_demo(config: PipelineConfig, run_frames: int = DEMO_FRAMES) -> list[DemoStart]:
    """Start processes that play the demo: with no execution plan kept, and with one.

    Raises:
        SourceFailed: a process ended without a result.
    """
    with tempfile.TemporaryDirectory(prefix="fer-bench-") as folder:
        options = _written(config, Path(folder), run_frames)
        caches = [Path(folder, f"cache-{number}") for number in range(SAMPLES)]
        first = [_start(options, cache) for cache in caches]
        later = [_start(options, caches[0]) for _ in range(SAMPLES)]
    return [
        DemoStart(
            what=what,
            first_frame_s=_first_result_s(runs),
            peak_rss_bytes=max(once.peak_rss_bytes for _, once in runs),
            frames=run_frames,
            samples=SAMPLES,
        )
        for what, runs in (("the first on a machine", first), ("later", later))
    ]


def _first_result_s(runs: Sequence[tuple[float, Once]]) -> float:
    return statistics.median(
        once.first_result_at_s - once.reading_s - started for started, once in runs
    )


def _written(
    config: PipelineConfig, folder: Path, run_frames: int, frames: Path | None = None
) -> Path:
    """The options of a process, in a file."""
    plain = as_json(config)
    options = {"frames": str(frames) if frames else None, "run": run_frames, "config": plain}
    path = folder / "options.json"
    path.write_text(json.dumps(options))
    return path


def _start(options: Path, cache: Path | None = None) -> tuple[float, Once]:
    """When a process was started, and what it said; `cache` stands in for the user's."""
    environment = {**os.environ, CACHE_VARIABLE: str(cache)} if cache else None
    started = perf_counter()
    command = [sys.executable, "-m", "fer_edge.benchmarks.startup", str(options)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=environment)
    if done.returncode:
        reason = (done.stderr.strip().splitlines() or ["no message"])[-1]
        raise SourceFailed(f"a process to measure start-up ended with {done.returncode}: {reason}")
    once = Once(**json.loads(done.stdout.splitlines()[-1]))
    return started, once


def as_json(config: PipelineConfig) -> dict[str, Any]:
    """The options as values of JSON, for another process."""
    plain = {key: str(v) if isinstance(v, Path) else v for key, v in asdict(config).items()}
    return {**plain, "min_face": str(config.min_face)}


def config_from_json(raw: dict[str, Any]) -> PipelineConfig:
    """The options that `as_json` wrote."""
    return PipelineConfig(
        **{
            **raw,
            "expression": Path(raw["expression"]) if raw["expression"] else None,
            "min_face": FaceSize.parse(raw["min_face"]),
            "connection": Connection(**raw["connection"]),
            "detect_size": tuple(raw["detect_size"]) if raw["detect_size"] else None,
        }
    )


def _run(options: dict[str, Any]) -> Once:
    # Late: imports are part of what is measured.
    from fer_edge.engine.pipeline import Pipeline
    from fer_edge.engine.sources.base import LosslessFeed

    from .memory import peak_resident_bytes
    from .scene import Loop

    config = config_from_json(options["config"])
    before = perf_counter()
    source: str | LosslessFeed = "demo"
    if options["frames"] is not None:
        source = LosslessFeed(Loop(list(np.load(options["frames"]))))
    reading = perf_counter() - before
    with Pipeline.from_config(source, config) as pipeline:
        ready = perf_counter()
        first = None
        for count, _ in enumerate(pipeline, 1):
            first = first or perf_counter()
            if count == options["run"]:
                break
    return Once(
        ready_at_s=ready,
        first_result_at_s=first or ready,
        reading_s=reading,
        peak_rss_bytes=peak_resident_bytes(),
        frames=count,
    )


if __name__ == "__main__":
    print(json.dumps(asdict(_run(json.loads(Path(sys.argv[1]).read_text())))))
