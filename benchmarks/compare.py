"""Two reports side by side: what changed, and whether it is noise.

Repetitions of either report give Welch's interval of the ratio of their rates. A change
is called one when the interval excludes 1 and the ratio is beyond the drift: repetitions
of one process are more alike than two runs of one program. Where both reports hold the
program of 2019, which does not change, the drift is the most that it changed; it is never
taken below `FLOOR`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from .intervals import Interval, unpaired_ratio
from .machine import describe
from .records import Lap, Report, count_of

FLOOR = 0.05


@dataclass(frozen=True)
class Change:
    """One figure in both reports.

    Attributes:
        what: the case or stage.
        before, after: rates, a second.
        ratio: after over before.
        verdict: `faster`, `slower`, `noise`, or `control` for the program of 2019.
    """

    what: str
    before: float
    after: float
    ratio: Interval
    verdict: str


@dataclass(frozen=True)
class Comparison:
    """What two reports have in common.

    Attributes:
        changes: in the order of the second report.
        drift: what the machine changed by itself, as a share.
        only_before, only_after: what one of them lacks.
        warnings: why the changes may come from elsewhere.
    """

    changes: list[Change]
    drift: float
    only_before: list[str]
    only_after: list[str]
    warnings: list[str]


def compare(before: Report, after: Report) -> Comparison:
    """Compare every case and stage that both reports hold."""
    old, new = _rates(before), _rates(after)
    ratios = {name: unpaired_ratio(new[name], old[name]) for name in new if name in old}
    controls = [abs(ratio.value - 1) for name, ratio in ratios.items() if _is_control(name)]
    drift = max([FLOOR, *controls])
    return Comparison(
        changes=[
            Change(name, _mean(old[name]), _mean(new[name]), ratio, _verdict(name, ratio, drift))
            for name, ratio in ratios.items()
        ],
        drift=drift,
        only_before=[name for name in old if name not in new],
        only_after=[name for name in new if name not in old],
        warnings=_warnings(before, after),
    )


def _verdict(name: str, ratio: Interval, drift: float) -> str:
    if _is_control(name):
        return "control"
    if ratio.low is None or ratio.high is None:
        return "one repetition: cannot tell"
    if abs(ratio.value - 1) <= drift or ratio.low <= 1 <= ratio.high:
        return "noise"
    return "faster" if ratio.value > 1 else "slower"


def _is_control(name: str) -> bool:
    return name.startswith("2019")


def _mean(rates: Sequence[float]) -> float:
    return sum(rates) / len(rates)


def _rates(report: Report) -> Mapping[str, Sequence[float]]:
    """Rates of all repetitions, by what they measure."""
    found: dict[str, Sequence[float]] = {}
    for result in report.cases:
        for one in result.contestants:
            found[f"{one.name}: {result.case.title}"] = _lap_rates(one.laps)
    for stage in report.stages:
        size = f"{count_of(stage.faces, 'face')}, {stage.width}x{stage.height}"
        found[f"stage {stage.name}: {size}"] = _lap_rates(stage.laps)
    for conversion in report.conversions:
        found[f"convert {conversion.model}"] = [1 / spent for spent in conversion.seconds]
    return found


def _lap_rates(laps: Sequence[Lap]) -> list[float]:
    return [lap.frames / lap.elapsed_s for lap in laps]


def _warnings(before: Report, after: Report) -> list[str]:
    warnings = []
    if describe(before.machine) != describe(after.machine):
        warnings.append(
            f"other machine: before {describe(before.machine)}; after {describe(after.machine)}"
        )
    for name in sorted(before.machine.libraries.keys() | after.machine.libraries.keys()):
        pair = [report.machine.libraries.get(name, "none") for report in (before, after)]
        if pair[0] != pair[1]:
            warnings.append(f"other {name}: {pair[0]}, then {pair[1]}")
    if before.isa != after.isa:
        warnings.append(f"other instruction set: {before.isa or 'unknown'}, then {after.isa}")
    for result in after.cases:
        for other in before.cases:
            if result.case.title != other.case.title:
                continue
            for field in (
                "backend",
                "precision",
                "device",
                "detector",
                "expression",
                "detector_plan",
                "expression_plan",
            ):
                was, now = getattr(other.case, field), getattr(result.case, field)
                if was != now:
                    warnings.append(f"{result.case.title}: other {field}: {was}, then {now}")
    return warnings
