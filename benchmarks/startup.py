"""Start-up, first result and memory, each in a process of its own.

    python -m fer_edge.benchmarks.startup OPTIONS.json

is what `measure_startup` starts: it loads the models, runs some frames and prints one
JSON object. What it shares with a user's program is everything; what it leaves out is the
shell.
"""

from __future__ import annotations

import json
import statistics
import subprocess
import sys
import tempfile
from dataclasses import asdict, dataclass
from pathlib import Path
from time import perf_counter
from typing import Any

import numpy as np

from fer_edge.engine.config import PipelineConfig
from fer_edge.engine.errors import SourceFailed
from fer_edge.engine.input_size import FaceSize
from fer_edge.engine.types import Image

from .records import Startup

SAMPLES = 3


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
        options = {"frames": str(Path(folder, "frames.npy")), "run": run_frames}
        plain = {key: str(v) if isinstance(v, Path) else v for key, v in asdict(config).items()}
        plain["min_face"] = str(config.min_face)
        path = Path(folder, "options.json")
        path.write_text(json.dumps({**options, "config": plain}))
        runs = [_start(path) for _ in range(SAMPLES)]
    return Startup(
        ready_s=statistics.median(
            once.ready_at_s - once.reading_s - started for started, once in runs
        ),
        first_result_s=statistics.median(
            once.first_result_at_s - once.reading_s - started for started, once in runs
        ),
        samples=SAMPLES,
        peak_rss_bytes=max(once.peak_rss_bytes for _, once in runs),
        frames_bytes=sum(frame.nbytes for frame in frames),
        frames=run_frames,
    )


def _start(options: Path) -> tuple[float, Once]:
    """When a process was started, and what it said."""
    started = perf_counter()
    command = [sys.executable, "-m", "fer_edge.benchmarks.startup", str(options)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        reason = (done.stderr.strip().splitlines() or ["no message"])[-1]
        raise SourceFailed(f"a process to measure start-up ended with {done.returncode}: {reason}")
    once = Once(**json.loads(done.stdout.splitlines()[-1]))
    return started, once


def _run(options: dict[str, Any]) -> Once:
    # Late: imports are part of what is measured.
    from fer_edge.engine.pipeline import Pipeline
    from fer_edge.engine.sources.base import LosslessFeed

    from .memory import peak_resident_bytes
    from .scene import Loop

    raw = options["config"]
    config = PipelineConfig(
        **{
            **raw,
            "expression": Path(raw["expression"]) if raw["expression"] else None,
            "min_face": FaceSize.parse(raw["min_face"]),
            "detect_size": tuple(raw["detect_size"]) if raw["detect_size"] else None,
        }
    )
    before = perf_counter()
    frames = np.load(options["frames"])
    reading = perf_counter() - before
    with Pipeline.from_config(LosslessFeed(Loop(list(frames))), config) as pipeline:
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
