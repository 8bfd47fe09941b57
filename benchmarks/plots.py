"""Pictures of a report, as SVG."""

from __future__ import annotations

import io
from collections import defaultdict
from collections.abc import Callable
from typing import Any

from .records import CaseResult, Report

COLOURS = {"fer-edge": "#1a6fb5", "2019": "#c4501b", "2019 haar": "#8a8a8a"}
STAGE_COLOURS = (
    "#1a6fb5", "#c4501b", "#2f8f4e", "#8557a3", "#b58a1a", "#3aa3a3", "#b5457a", "#6b6b6b",
    "#7fb5e0", "#e0a07f", "#93c9a4", "#c1a6d3",
)  # fmt: skip


def plots(report: Report) -> dict[str, str]:
    """Every picture that the report has figures for: its caption, and SVG text."""
    made = {
        "Frame times": _latency(report),
        "Where the time of a frame goes": _stages(report),
        "Frames a second against faces": _against(
            report, "faces in the frame", lambda r: r.case.faces, lambda r: r.case.streams == 1
        ),
        "Frames a second against streams": _against(
            report, "streams", lambda r: r.case.streams, lambda r: True
        ),
        "Memory over a long run": _soak(report),
    }
    return {caption: svg for caption, svg in made.items() if svg is not None}


def _latency(report: Report) -> str | None:
    shown = report.cases[:6]
    if not shown:
        return None
    figure, grid = _figure(9, 1.1 + 1.75 * len(shown), len(shown))
    for axes, result in zip(grid, shown, strict=True):
        for one in result.contestants:
            edges = [edge * 1e3 for edge in one.histogram.edges_s]
            total = sum(one.histogram.counts)
            shares = [count / total for count in one.histogram.counts]
            colour = COLOURS.get(one.name, "#444444")
            axes.stairs(shares, edges, fill=True, alpha=0.35, color=colour)
            axes.stairs(shares, edges, color=colour, label=one.name)
            if one.times.p99_s is not None:
                axes.axvline(one.times.p99_s * 1e3, color=colour, linestyle=":", linewidth=1.2)
        axes.set_xscale("log")
        axes.set_title(result.case.title, fontsize=9, loc="left")
        axes.set_ylabel("share", fontsize=8)
        axes.grid(alpha=0.25)
        axes.legend(fontsize=8, loc="upper right", frameon=False)
        _plain_ticks(axes)
    low = min(one.histogram.edges_s[0] for r in shown for one in r.contestants) * 1e3
    high = max(one.histogram.edges_s[-1] for r in shown for one in r.contestants) * 1e3
    for axes in grid:
        axes.set_xlim(low * 0.9, high * 1.1)
    grid[-1].set_xlabel("ms a frame, full clock; dotted: p99")
    return _svg(figure)


def _stages(report: Report) -> str | None:
    shown = [(result, result.breakdown) for result in report.cases if result.breakdown][:8]
    if not shown:
        return None
    totals: dict[str, float] = defaultdict(float)
    bars = []
    for result, parts in shown:
        assert parts is not None
        mine = {s.name: s.per_frame_s * 1e3 for s in parts.stages if s.thread == "MainThread"}
        mine["overhead"] = parts.overhead_share * parts.elapsed_s / parts.frames * 1e3
        for name, value in mine.items():
            totals[name] += value
        bars.append((result.case.title, mine))
    # What cannot be seen in the picture is in the table.
    visible = [name for name in totals if totals[name] > 0.002 * sum(totals.values())]
    names = sorted(visible, key=lambda name: (name == "overhead", -totals[name]))
    figure, (axes,) = _figure(9, 1.6 + 0.5 * len(bars), 1)
    for row, (_, mine) in enumerate(bars):
        left = 0.0
        for index, name in enumerate(names):
            width = mine.get(name, 0.0)
            colour = "#333333" if name == "overhead" else STAGE_COLOURS[index % len(STAGE_COLOURS)]
            axes.barh(row, width, left=left, color=colour, label=name if row == 0 else None)
            left += width
        axes.text(left, row, f" {left:.2f} ms", va="center", fontsize=8)
    axes.set_yticks(range(len(bars)), [title for title, _ in bars], fontsize=8)
    axes.invert_yaxis()
    axes.margins(x=0.12)
    axes.set_xlabel("ms a frame on the pipeline's own thread")
    axes.grid(axis="x", alpha=0.25)
    axes.set_axisbelow(True)
    axes.legend(
        fontsize=8,
        ncols=8,
        loc="upper center",
        bbox_to_anchor=(0.45, -0.35 / len(bars) ** 0.5),
        frameon=False,
    )
    return _svg(figure)


def _against(
    report: Report,
    label: str,
    number: Callable[[CaseResult], int | None],
    fits: Callable[[CaseResult], bool],
) -> str | None:
    """Frames a second of every program against a number of the cases, a line a setting."""
    lines: dict[tuple[str, str], list[tuple[int, float, float, float]]] = defaultdict(list)
    for result in report.cases:
        at = number(result)
        if at is None or not fits(result):
            continue
        case = result.case
        setting = f"{case.workload} {case.width}x{case.height}"
        if label == "streams":
            setting += f", {case.faces} faces" if case.faces != 1 else ", 1 face"
        for one in result.contestants:
            fps = one.fps
            lines[setting, one.name].append(
                (at, fps.value, fps.low or fps.value, fps.high or fps.value)
            )
    lines = {
        key: sorted(points) for key, points in lines.items() if len({p[0] for p in points}) > 1
    }
    if not lines:
        return None
    figure, (axes,) = _figure(9, 4.2, 1)
    settings = list(dict.fromkeys(setting for setting, _ in lines))
    for (setting, name), points in lines.items():
        numbers = [point[0] for point in points]
        values = [point[1] for point in points]
        errors = [[p[1] - p[2] for p in points], [p[3] - p[1] for p in points]]
        colour = STAGE_COLOURS[settings.index(setting) % len(STAGE_COLOURS)]
        style = "-" if name == "fer-edge" else "--"
        axes.errorbar(
            numbers, values, errors, marker="o", markersize=4, capsize=3, color=colour,
            linestyle=style, label=f"{name}: {setting}",
        )  # fmt: skip
    ticks = sorted({point[0] for points in lines.values() for point in points})
    axes.set_yscale("log")
    axes.set_xscale("log", base=2)
    axes.set_xticks(ticks, [str(tick) for tick in ticks])
    axes.minorticks_off()
    axes.set_xlabel(label)
    axes.set_ylabel("frames a second, full clock")
    _plain_ticks(axes, "y")
    axes.grid(alpha=0.25, which="both")
    axes.legend(fontsize=8, frameon=False, handlelength=4)
    return _svg(figure)


def _soak(report: Report) -> str | None:
    result = report.soak
    if result is None:
        return None
    figure, (axes,) = _figure(9, 3, 1)
    axes.plot(result.at_frames, [size / 1e6 for size in result.rss_bytes], color="#1a6fb5")
    axes.axvline(result.warm_frames, color="#888888", linestyle=":", label="end of warm-up")
    axes.set_ylim(0, 1.2 * max(result.rss_bytes) / 1e6)
    axes.set_xlabel("frames")
    axes.set_ylabel("MB resident")
    axes.legend(fontsize=8, frameon=False)
    axes.grid(alpha=0.25)
    return _svg(figure)


def _plain_ticks(axes: Any, which: str = "x") -> None:
    """Numbers as people write them on a logarithmic axis, at 1, 2 and 5."""
    from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter

    axis = axes.xaxis if which == "x" else axes.yaxis
    axis.set_major_locator(LogLocator(subs=(1.0, 2.0, 5.0)))
    axis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    axis.set_minor_formatter(NullFormatter())


def _figure(width: float, height: float, rows: int) -> tuple[Any, list[Any]]:
    # No pyplot: it looks for a screen and keeps figures alive.
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width, height), layout="constrained")
    return figure, list(figure.subplots(rows, 1, squeeze=False).ravel())


def _svg(figure: Any) -> str:
    import matplotlib

    data = io.StringIO()
    # Fixed ids and no date: the same report makes the same page.
    with matplotlib.rc_context({"svg.hashsalt": "fer-bench"}):
        figure.savefig(data, format="svg", metadata={"Date": None})
    text = data.getvalue()
    return text[text.index("<svg") :]
