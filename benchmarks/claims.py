"""The published figures of 2019, and what this machine says to them."""

from __future__ import annotations

from collections.abc import Sequence

from .intervals import Interval
from .records import PUBLISHED_DETECTOR, CaseResult, Claim, Contestant

PUBLISHED_ON = "GTX 1080 Ti"
PUBLISHED_FPS = {"detect": 158.0, "express": 78.0}
# The published setting.
FACES, SIZE, DETECT_EVERY = 1, (640, 480), 10


def claims(results: Sequence[CaseResult]) -> list[Claim]:
    """A claim for each workload that was run in the published setting, its detector included."""
    made = []
    for workload, published in PUBLISHED_FPS.items():
        fitting = [result for result in results if _fits(result, workload)]
        if fitting:
            made.append(_claim(workload, published, fitting[0].contestants[0]))
    return made


def _fits(result: CaseResult, workload: str) -> bool:
    case = result.case
    return (
        case.workload == workload
        and case.detector_name == PUBLISHED_DETECTOR
        and case.faces == FACES
        and (case.width, case.height) == SIZE
        and case.detect_every == DETECT_EVERY
        and case.classify_every == 1
        and case.streams == 1
        and not case.outputs
    )


def _claim(workload: str, published: float, ours: Contestant) -> Claim:
    measured = ours.fps_in_hand or ours.fps
    low = None if measured.low is None else measured.low / published
    high = None if measured.high is None else measured.high / published
    ratio = Interval(measured.value / published, low, high)
    return Claim(
        workload=workload,
        published_fps=published,
        published_on=PUBLISHED_ON,
        measured=measured,
        measured_full=ours.fps,
        ratio=ratio,
        verdict=_verdict(ratio, ours),
    )


def _verdict(ratio: Interval, ours: Contestant) -> str:
    if abs(ours.faces.mean - FACES) > 0.02:
        return f"no verdict: the results held {ours.faces.mean:.2f} faces a frame, not {FACES}"
    if ratio.low is None or ratio.high is None:
        return "no verdict from one repetition"
    if ratio.low > 1:
        return "faster than published, on this other hardware"
    if ratio.high < 1:
        return "slower than published, on this other hardware"
    return "as fast as published, within the interval, on this other hardware"
