"""Repetitions of several programs over the same frames, taking turns."""

from __future__ import annotations

import os
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from math import ceil
from time import perf_counter

import numpy as np
import numpy.typing as npt

from .intervals import paired_ratio, percentile_estimate, rate_interval
from .records import Contestant, Histogram, Lap, Ratio, Seen, Times

Seconds = npt.NDArray[np.float64]
# Of the histogram: logarithmic, as frames that detect take ten times the others' time.
EDGES_PER_DECADE = 40


@dataclass
class Timed:
    """Frames of one lap.

    Attributes:
        lap: the sums.
        frame_s: full clock, a frame or a tick of all streams.
        in_hand_s: published clock, the same; nan where streams share it.
        detected: whether the frame's faces come from a detection.
        faces: in the result.
    """

    lap: Lap
    frame_s: Seconds
    in_hand_s: Seconds
    detected: npt.NDArray[np.bool_]
    faces: npt.NDArray[np.int64]


class Runner(ABC):
    """A program that can be run on for some frames. A context manager.

    Attributes:
        name: in reports.
        about: what runs: precision, device, versions.
        cycle: frames after which its pattern of detections repeats.
        streams: results a tick.
    """

    name: str
    about: str
    cycle: int
    streams: int = 1

    @abstractmethod
    def step(self) -> tuple[float, int, bool]:
        """Take the next frame, or the next one of each stream, to its result.

        Returns:
            Seconds from frame in hand to result in hand (nan where streams share them),
            faces in the results, and whether they come from a detection.
        """

    @abstractmethod
    def close(self) -> None:
        """Give everything back."""

    def __enter__(self) -> Runner:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def advance(self, frames: int) -> Timed:
        """Run on for `frames` ticks under both clocks."""
        frame_s, in_hand_s = np.empty(frames), np.empty(frames)
        detected, faces = np.empty(frames, bool), np.empty(frames, np.int64)
        cpu_before = _cpu_s()
        started = last = perf_counter()
        for index in range(frames):
            in_hand_s[index], faces[index], detected[index] = self.step()
            now = perf_counter()
            frame_s[index], last = now - last, now
        elapsed = last - started
        in_hand = None if np.isnan(in_hand_s).any() else float(in_hand_s.sum())
        lap = Lap(frames * self.streams, elapsed, in_hand, _cpu_s() - cpu_before)
        return Timed(lap, frame_s, in_hand_s, detected, faces)


@dataclass(frozen=True)
class Plan:
    """How much to measure.

    Attributes:
        repetitions: laps of each program.
        seconds: of a lap, unless `frames` is given.
        frames: of a lap; rounded up to whole cycles of detection, so that every lap holds
            the same share of them.
        warm_s: before the first lap.
    """

    repetitions: int = 5
    seconds: float = 2.0
    frames: int | None = None
    warm_s: float = 1.0

    def lap_frames(self, runner: Runner, frame_s: float) -> int:
        """Frames of a lap of a program that takes `frame_s` a frame."""
        wanted = self.frames or max(1, ceil(self.seconds / frame_s))
        return ceil(wanted / runner.cycle) * runner.cycle


@dataclass
class _Entry:
    runner: Runner
    frames: int
    laps: list[Timed] = field(default_factory=list)


def race(
    runners: Sequence[Runner], plan: Plan, progress: Callable[[str], None] = lambda _: None
) -> tuple[list[Contestant], list[Ratio]]:
    """Warm every program up, let them take turns lap by lap, and sum up.

    Before every lap a program runs a few frames outside the clock: its caches have seen
    the others meanwhile.
    """
    entries = []
    for runner in runners:
        progress(f"warming up {runner.name}")
        entries.append(_Entry(runner, plan.lap_frames(runner, _warm_up(runner, plan))))
    for repetition in range(plan.repetitions):
        for entry in entries:
            progress(f"{entry.runner.name}, {repetition + 1} of {plan.repetitions}")
            entry.runner.advance(min(entry.runner.cycle, 3))
            entry.laps.append(entry.runner.advance(entry.frames))
    contestants = [summary(entry.runner, entry.laps) for entry in entries]
    return contestants, [_ratio(contestants[0], other) for other in contestants[1:]]


def _warm_up(runner: Runner, plan: Plan) -> float:
    """Run until caches are filled and thread pools are up; returns seconds a frame."""
    started, timed = perf_counter(), runner.advance(runner.cycle)
    while perf_counter() - started < plan.warm_s:
        timed = runner.advance(runner.cycle)
    return float(timed.frame_s.mean())


def summary(runner: Runner, laps: Sequence[Timed]) -> Contestant:
    """Sum up the laps of one program."""
    frame_s = np.concatenate([timed.frame_s for timed in laps])
    in_hand_s = np.concatenate([timed.in_hand_s for timed in laps])
    detected = np.concatenate([timed.detected for timed in laps])
    faces = np.concatenate([timed.faces for timed in laps])
    sums = [timed.lap for timed in laps]
    frames = [lap.frames for lap in sums]
    in_hand = [lap.in_hand_s for lap in sums if lap.in_hand_s is not None]
    known = len(in_hand) == len(sums)
    return Contestant(
        name=runner.name,
        about=runner.about,
        laps=sums,
        fps=rate_interval(frames, [lap.elapsed_s for lap in sums]),
        fps_in_hand=rate_interval(frames, in_hand) if known else None,
        times=_must(times_of(frame_s)),
        in_hand=times_of(in_hand_s) if known else None,
        detecting=times_of(frame_s[detected]),
        tracking=times_of(frame_s[~detected]),
        histogram=histogram_of(frame_s),
        faces=Seen(float(faces.mean()), int(faces.min()), int(faces.max())),
        cores_busy=sum(lap.cpu_s for lap in sums) / sum(lap.elapsed_s for lap in sums),
    )


def times_of(samples_s: Seconds) -> Times | None:
    """The figures of some frame times; None without any."""
    if not len(samples_s):
        return None
    return Times(
        samples=len(samples_s),
        mean_s=float(samples_s.mean()),
        worst_s=float(samples_s.max()),
        p50_s=percentile_estimate(samples_s, 50),
        p90_s=percentile_estimate(samples_s, 90),
        p99_s=percentile_estimate(samples_s, 99),
    )


def _must(times: Times | None) -> Times:
    if times is None:
        raise ValueError("a lap without frames")
    return times


def histogram_of(samples_s: Seconds) -> Histogram:
    """Counts in bins of equal ratio, from the least sample to the largest."""
    low = np.floor(np.log10(samples_s.min()) * EDGES_PER_DECADE)
    high = np.floor(np.log10(samples_s.max()) * EDGES_PER_DECADE) + 1
    edges = 10 ** (np.arange(low, high + 1) / EDGES_PER_DECADE)
    counts, _ = np.histogram(np.clip(samples_s, edges[0], edges[-1]), edges)
    return Histogram(edges.tolist(), counts.tolist())


def _ratio(first: Contestant, other: Contestant) -> Ratio:
    def rates(who: Contestant) -> list[float]:
        return [lap.frames / lap.elapsed_s for lap in who.laps]

    def rates_in_hand(who: Contestant) -> list[float]:
        return [lap.frames / lap.in_hand_s for lap in who.laps if lap.in_hand_s]

    known = first.fps_in_hand is not None and other.fps_in_hand is not None
    return Ratio(
        over=other.name,
        fps=paired_ratio(rates(first), rates(other)),
        fps_in_hand=paired_ratio(rates_in_hand(first), rates_in_hand(other)) if known else None,
    )


def _cpu_s() -> float:
    times = os.times()
    return times.user + times.system
