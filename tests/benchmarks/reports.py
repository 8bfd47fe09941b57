"""A small report with every part in it, for tests of what is made of reports."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from fer_edge.benchmarks.claims import claims
from fer_edge.benchmarks.intervals import Interval, mean_interval, rate_interval
from fer_edge.benchmarks.laps import Timed, summary
from fer_edge.benchmarks.method import METHOD
from fer_edge.benchmarks.records import (
    Breakdown,
    Case,
    CaseResult,
    Ceilings,
    Contestant,
    Conversion,
    GpuUse,
    Lap,
    Machine,
    Ratio,
    Report,
    Soak,
    StageResult,
    StageTime,
    Startup,
    Work,
)
from fer_edge.benchmarks.roofline import estimate

MACHINE = Machine("Some <Processor>", 2, ["avx2"], 8 << 30, "Linux", "3.12", None, {"numpy": "2.0"})
CASE = Case(
    "express", 1, 640, 480, 1, 10, "openvino", "fp32", "CPU", "memory", False, False,
    "a" * 64, "b" * 64,
)  # fmt: skip


class Named:
    """What `summary` asks of a runner."""

    def __init__(self, name: str) -> None:
        self.name, self.about = name, f"about {name}"


def contestant(name: str, frame_s: float, faces: int = 1, seed: int = 0) -> Contestant:
    """Five laps of 200 frames; every tenth takes four times as long."""
    rng = np.random.default_rng(seed)
    laps = []
    for _ in range(5):
        detected = np.arange(200) % 10 == 0
        times = frame_s * rng.normal(1, 0.02, 200) * np.where(detected, 4, 1)
        lap = Lap(200, float(times.sum()), float(times.sum() * 0.99), float(times.sum() * 1.5))
        laps.append(Timed(lap, times, times * 0.99, detected, np.full(200, faces)))
    return summary(Named(name), laps)  # type: ignore[arg-type]


def result(case: Case = CASE, frame_s: float = 0.002, seed: int = 0) -> CaseResult:
    """A case with a baseline and a breakdown that adds up."""
    ours, old = contestant("fer-edge", frame_s, seed=seed), contestant("2019", 0.04)
    mean_s = ours.times.mean_s
    stages = [
        StageTime("classify", "MainThread", 1000, mean_s * 0.6, mean_s * 0.6, 0.6),
        StageTime("detect", "MainThread", 100, mean_s * 0.35, mean_s * 3.5, 0.35),
        StageTime("decode", "capture", 1000, mean_s * 0.2, mean_s * 0.2, 0.2),
    ]
    return CaseResult(
        case,
        1.0,
        0.5,
        [ours, old],
        [Ratio("2019", Interval(15, 14, 16), Interval(15.1, 14.1, 16.1))],
        Breakdown(1000, mean_s * 1000, stages, 0.05, 1.02),
        Startup(0.4, 0.5, 3, 150_000_000, 40_000_000, 300),
        GpuUse("Some GPU", 1 << 30, 1.5e9, 120.0),
    )


def report() -> Report:
    """Every part of a report, two numbers of faces and two of streams among them."""
    cases = [
        result(),
        result(replace(CASE, faces=4), 0.005, 1),
        result(replace(CASE, workload="detect", expression=None), 0.001, 2),
        result(replace(CASE, streams=2), 0.003, 3),
    ]
    ceilings = Ceilings(20e9, {"fp32": 4e11})
    works = {
        "detect": (Work("face_detector", 6e9, 2e7, 2e8), "fp32"),
        "classify": (Work("expression", 2e8, 4e6, 1e6), "fp32"),
    }
    laps = [Lap(100, 0.1 + 0.001 * n, None, 0.1) for n in range(5)]
    stage = StageResult(
        "track",
        "one frame",
        1,
        640,
        480,
        rate_interval([lap.frames for lap in laps], [lap.elapsed_s for lap in laps]),
        cases[0].contestants[0].times,
        laps,
    )
    return Report(
        created="2026-01-02T03:04:05+00:00",
        version="0.1.0",
        command=["fer-bench", "run"],
        machine=MACHINE,
        method=METHOD,
        notes=["something was left out"],
        cases=cases,
        stages=[stage],
        conversions=[Conversion("model.pb", [9.0, 9.5], mean_interval([9.0, 9.5]))],
        ceilings=ceilings,
        estimate=estimate(works, cases, ceilings),
        claims=claims(cases),
        soak=Soak(CASE, 1000, 2.0, [500, 1000], [10**8, 10**8 + 10], 20, 10),
    )
