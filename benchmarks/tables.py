"""A report as tables of text, from which every form of it is made."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from . import soak
from .records import CaseResult, Contestant, Report, Times, count_of

ESTIMATED = "Estimate, not measured"


@dataclass(frozen=True)
class Table:
    """A table.

    Attributes:
        title: a few words.
        columns: their names; the first is the row's.
        rows: as many texts a row as columns.
        note: below it; may be empty.
    """

    title: str
    columns: list[str]
    rows: list[list[str]]
    note: str = ""


def tables(report: Report) -> list[Table]:
    """Every table that the report has figures for, the most asked-for first."""
    made = [
        _claims(report),
        _cases(report),
        _ratios(report),
        _kinds_of_frames(report),
        *_breakdowns(report),
        _stages(report),
        _startup(report),
        _gpu(report),
        _conversions(report),
        _ceilings(report),
        _rooflines(report),
        _estimated_fps(report),
        _costs(report),
        _starts(report),
        _soak(report),
    ]
    return [table for table in made if table.rows]


def _claims(report: Report) -> Table:
    rows = [
        [
            claim.workload,
            f"{claim.published_fps:.0f} on a {claim.published_on}",
            str(claim.measured),
            str(claim.ratio),
            str(claim.measured_full),
            claim.verdict,
        ]
        for claim in report.claims
    ]
    return Table(
        "The published claims",
        ["workload", "published fps", "here, published clock", "ratio", "here, full clock", ""],
        rows,
        "With the published network (ssd), one face, 640x480, detection every 10th frame; 95 % "
        "intervals in brackets.",
    )


def _cases(report: Report) -> Table:
    rows = []
    for result in report.cases:
        for one in result.contestants:
            rows.append(
                [
                    result.case.title,
                    one.name,
                    str(one.fps),
                    str(one.fps_in_hand) if one.fps_in_hand else "-",
                    *_percentiles(one.times),
                    tail(one.times),
                    _faces(result, one),
                    f"{one.cores_busy:.1f}",
                ]
            )
    return Table(
        "Speed",
        ["case", "program", "full clock fps", "published clock fps",
         "p50 ms", "p90 ms", "p99 ms", "worst ms", "p99 over p50", "faces", "cores busy"],
        rows,
        "Frame times on the full clock; of several streams, until all have their result.",
    )  # fmt: skip


def _faces(result: CaseResult, one: Contestant) -> str:
    shown = result.case.faces
    mean = f"{one.faces.mean:.4g}"
    return mean if shown is None else f"{mean} of {shown * result.case.streams}"


def _ratios(report: Report) -> Table:
    rows = [
        [
            result.case.title,
            ratio.over,
            str(ratio.fps),
            str(ratio.fps_in_hand) if ratio.fps_in_hand else "-",
        ]
        for result in report.cases
        for ratio in result.ratios
    ]
    # Not the same in every case: with a detection in every frame nothing is tracked.
    abouts = dict.fromkeys(
        f"{one.name}: {one.about}." for result in report.cases for one in result.contestants[1:]
    )
    return Table(
        "Times as fast as the program of 2019",
        ["case", "over", "full clock", "published clock"],
        rows,
        "Same frames, same run, laps taking turns; 95 % intervals in brackets. " + " ".join(abouts),
    )


def _kinds_of_frames(report: Report) -> Table:
    rows = []
    for result in report.cases:
        for one in result.contestants:
            for kind, times in (("detect", one.detecting), ("track only", one.tracking)):
                if times is not None:
                    rows.append(
                        [
                            result.case.title,
                            one.name,
                            kind,
                            f"{times.samples:,}",
                            f"{times.mean_s * 1e3:.2f}",
                            *_percentiles(times),
                        ]
                    )
    return Table(
        "Frames that detect, and frames that only track",
        ["case", "program", "frames that", "samples", "mean ms",
         "p50 ms", "p90 ms", "p99 ms", "worst ms"],
        rows,
    )  # fmt: skip


def _breakdowns(report: Report) -> Iterator[Table]:
    for result in report.cases:
        parts = result.breakdown
        if parts is None:
            continue
        main = [stage for stage in parts.stages if stage.thread == "MainThread"]
        others = [stage for stage in parts.stages if stage.thread != "MainThread"]
        rows = [
            [
                stage.name + ("" if stage.thread == "MainThread" else f" ({stage.thread})"),
                f"{stage.per_frame_s * 1e3:.3f}",
                f"{stage.per_call_s * 1e3:.3f}",
                f"{stage.calls / parts.frames:.2f}",
                f"{stage.share:.1%}",
            ]
            for stage in (*main, *others)
        ]
        overhead_s = parts.overhead_share * parts.elapsed_s / parts.frames
        rows.append(["overhead", f"{overhead_s * 1e3:.3f}", "", "", f"{parts.overhead_share:.1%}"])
        yield Table(
            f"Where the time goes: {result.case.title}",
            ["stage", "ms a frame", "ms a call", "calls a frame", "of the elapsed time"],
            rows,
            f"Measured inside the pipeline over {parts.frames:,} frames; tracing made a frame "
            f"{parts.slowdown:.2f} times as long. Overhead is what no stage accounts for.",
        )


def _stages(report: Report) -> Table:
    rows = [
        [
            stage.name,
            f"{count_of(stage.faces, 'face')}, {stage.width}x{stage.height}",
            f"{1e3 / stage.rate.value:.3f}",
            *_percentiles(stage.times, 3),
            str(stage.rate),
            stage.about,
        ]
        for stage in report.stages
    ]
    return Table(
        "Single stages",
        ["stage", "input", "mean ms", "p50 ms", "p90 ms", "p99 ms", "worst ms", "calls a second",
         "a call is"],
        rows,
    )  # fmt: skip


def _startup(report: Report) -> Table:
    rows = [
        [
            result.case.title,
            f"{start.ready_s:.2f}",
            f"{start.first_result_s:.2f}",
            f"{start.peak_rss_bytes / 1e6:.0f}",
            f"{start.frames_bytes / 1e6:.0f}",
            f"{start.frames:,}",
        ]
        for result in report.cases
        if (start := result.startup) is not None
    ]
    return Table(
        "Start and memory",
        ["case", "ready s", "first result s", "peak MB", "of them frames MB", "frames run"],
        rows,
        "A process of its own, from its start; medians of three, the largest peak.",
    )


def _gpu(report: Report) -> Table:
    rows = [
        [
            result.case.title,
            use.name,
            f"{use.memory_bytes / 1e6:.0f}",
            f"{use.clock_hz / 1e6:.0f}",
            f"{use.power_w:.0f}",
        ]
        for result in report.cases
        if (use := result.gpu) is not None
    ]
    return Table("GPU", ["case", "device", "memory MB", "SM clock MHz", "power W"], rows)


def _conversions(report: Report) -> Table:
    rows = [[one.model, f"{one.mean} s", str(len(one.seconds))] for one in report.conversions]
    return Table(
        "Conversion",
        ["original", "time", "repetitions"],
        rows,
        "fer-convert to ONNX in fp16, parity check included, from start to end of a process.",
    )


def _ceilings(report: Report) -> Table:
    if report.ceilings is None:
        return Table("Ceilings of this machine", [], [])
    rows = [["copy", f"{report.ceilings.copy_bytes_s / 1e9:.1f} GB/s read and written"]]
    rows += [
        [f"matrix product, {name}", f"{rate / 1e12:.2f} TFLOP/s"]
        for name, rate in report.ceilings.product_flop_s.items()
    ]
    return Table("Ceilings of this machine", ["", "measured"], rows)


def _rooflines(report: Report) -> Table:
    if report.estimate is None:
        return Table(ESTIMATED, [], [])
    rows = [
        [
            line.model,
            f"{line.flop / 1e9:.2f}",
            f"{line.bytes / 1e6:.1f}",
            f"{line.measured_s * 1e3:.2f}",
            f"{line.bound_s * 1e3:.2f}",
            f"{line.ratio:.2f}",
            f"{line.other_bound_s * 1e3:.2f}",
            f"{line.other_estimate_s * 1e3:.2f}",
        ]
        for line in report.estimate.rooflines
    ]
    return Table(
        f"{ESTIMATED}: networks against the roof",
        ["network", "GFLOP", "MB", "measured here ms", "roof here ms", "roof over measured",
         "roof there ms", "estimate there ms"],
        rows,
        f"There: {report.estimate.device}.",
    )  # fmt: skip


def _estimated_fps(report: Report) -> Table:
    if report.estimate is None:
        return Table(ESTIMATED, [], [])
    rows = [[case, f"about {fps:,.0f}"] for case, fps in report.estimate.fps.items()]
    return Table(
        f"{ESTIMATED}: frames a second there",
        ["case", "estimated fps"],
        rows,
        report.estimate.assumptions,
    )


def _soak(report: Report) -> Table:
    result = report.soak
    if result is None:
        return Table("Memory over a long run", [], [])
    fps = result.frames / result.elapsed_s
    row = [result.case.title, f"{result.frames:,}", f"{fps:,.0f}", soak.verdict(result)]
    return Table("Memory over a long run", ["case", "frames", "fps", "memory"], [row])


def _costs(report: Report) -> Table:
    first = report.costs[0].detector if report.costs else ""
    rows = [
        [one.detector, one.plan, one.sees, f"{one.median_s * 1e3:.2f}", str(one.ratio)]
        for one in report.costs
    ]
    return Table(
        "One detection in a frame of 640x480",
        ["detector", "plan", "input", "median ms", f"times as fast as {first}"],
        rows,
        "From pixels to boxes, in blocks that take turns; 95 % intervals in brackets.",
    )


def _starts(report: Report) -> Table:
    rows = [
        [
            one.what,
            f"{one.first_frame_s:.2f}",
            f"{one.peak_rss_bytes / 1e6:.0f}",
            f"{one.frames:,}",
            str(one.samples),
        ]
        for one in report.starts
    ]
    return Table(
        "fer-run on its demo, from the start of the process",
        ["start", "first frame s", "peak MB", "frames run", "processes"],
        rows,
        "To the first frame with its faces and expressions; the median, and the largest peak.",
    )


def tail(times: Times) -> str:
    """The 99th percentile over the median, `-` where one of them is not known."""
    if times.p99_s is None or not times.p50_s:
        return "-"
    return f"{times.p99_s / times.p50_s:.1f}"


def _percentiles(times: Times, digits: int = 2) -> list[str]:
    values = (times.p50_s, times.p90_s, times.p99_s, times.worst_s)
    return ["-" if value is None else f"{value * 1e3:.{digits}f}" for value in values]


def about_lines(report: Report) -> list[str]:
    """What computed: a cap of the instruction set, then every detector and expression model."""
    capped = "capped" in report.isa
    lines = [f"instruction set of the networks: {report.isa}"] if capped else []
    cases = [result.case for result in report.cases]
    lines += [
        f"detector {case.detector_name} ({case.detector[:12]}): "
        + (case.detector_plan or f"{case.backend}, {case.precision} on {case.device}")
        for case in cases
    ]
    lines += [
        f"expressions ({case.expression[:12]}): "
        + (case.expression_plan or f"{case.backend}, {case.precision} on {case.device}")
        for case in cases
        if case.expression
    ]
    return list(dict.fromkeys(lines))
