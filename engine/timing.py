"""Durations measured as intervals on the monotonic clock."""

from __future__ import annotations

from dataclasses import dataclass, field
from time import perf_counter

import numpy as np


@dataclass(frozen=True)
class RunSummary:
    """What a run did and how long it took.

    Attributes:
        captured: frames that the source gave; equals `processed + dropped`.
        processed: frames that went through the pipeline and every sink.
        dropped: frames that a live source replaced by newer ones.
        faces: face results over all processed frames.
        elapsed_s: from before the first capture until after the last sink.
        p50_s, p99_s: frame time, capture and sinks included; nan without frames.
    """

    captured: int
    processed: int
    dropped: int
    faces: int
    elapsed_s: float
    p50_s: float
    p99_s: float

    @property
    def fps(self) -> float:
        """Processed frames over elapsed time."""
        return self.processed / self.elapsed_s if self.elapsed_s > 0 else 0.0


@dataclass
class FrameClock:
    """Measures a loop: call `tick()` once after every whole frame.

    Memory is bounded: beyond `capacity` frames the percentiles come from the
    newest `capacity` of them.
    """

    capacity: int = 100_000
    started_s: float = field(default_factory=perf_counter)
    frames: int = 0

    def __post_init__(self) -> None:
        self._last_s = self.started_s
        self._times_s = np.empty(min(self.capacity, 1024), np.float32)

    def tick(self) -> float:
        """Record a frame and return its time in seconds."""
        now = perf_counter()
        spent = now - self._last_s
        self._last_s = now
        at = self.frames % self.capacity
        if at >= len(self._times_s):
            self._times_s = np.resize(self._times_s, min(2 * len(self._times_s), self.capacity))
        self._times_s[at] = spent
        self.frames += 1
        return spent

    @property
    def elapsed_s(self) -> float:
        """Seconds from the start to the last tick."""
        return self._last_s - self.started_s

    @property
    def fps(self) -> float:
        """Frames over elapsed time; 0 before the first tick."""
        return self.frames / self.elapsed_s if self.elapsed_s > 0 else 0.0

    def percentile_s(self, percent: float) -> float:
        """A percentile (0-100) of the frame times in seconds; nan without frames."""
        times = self._times_s[: min(self.frames, self.capacity)]
        return float(np.percentile(times, percent)) if len(times) else float("nan")

    def summary(self, captured: int, dropped: int, faces: int) -> RunSummary:
        """The run so far."""
        return RunSummary(
            captured=captured,
            processed=self.frames,
            dropped=dropped,
            faces=faces,
            elapsed_s=self.elapsed_s,
            p50_s=self.percentile_s(50),
            p99_s=self.percentile_s(99),
        )
