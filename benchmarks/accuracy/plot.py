"""The plot of an accuracy report."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from fer_edge.engine.errors import BackendUnavailable
from fer_edge.engine.outputs import PendingFile

from .records import AccuracyReport

COLOURS = ("#1a6fb5", "#c4501b", "#2f8f4e", "#8557a3", "#b58a1a", "#3aa3a3", "#b5457a", "#6b6b6b")
SHOWN = ("all", ">= 32 px")


def check_installed() -> None:
    """Say before a long measurement what its plot will lack.

    Raises:
        BackendUnavailable: Matplotlib is missing.
    """
    from importlib.util import find_spec

    if find_spec("matplotlib") is None:
        raise BackendUnavailable("--plot needs matplotlib: pip install 'fer-edge[bench]'")


def draw(report: AccuracyReport, path: Path) -> None:
    """Draw precision over recall and over scores, and average precision by size, into a file.

    Raises:
        OutputNotWritable: it cannot be written.
    """
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    style = {"font.size": 9, "axes.spines.top": False, "axes.spines.right": False}
    with plt.rc_context(style):
        figure, grid = plt.subplots(2, 2, figsize=(11, 8), layout="constrained")
        for axes, size in zip(grid[0], SHOWN, strict=True):
            _precision_recall(axes, report, size)
        _scores(grid[1][0], report)
        _by_size(grid[1][1], report)
        handles, labels = grid[0][0].get_legend_handles_labels()
        figure.legend(handles, labels, loc="outside lower left", ncols=4, frameon=False)
        kind = path.suffix.lstrip(".").lower() or "png"
        with PendingFile(path) as pending, pending.writing(), pending.open("wb") as file:
            figure.savefig(file, dpi=110, format=kind)
        plt.close(figure)


def _precision_recall(axes: Any, report: AccuracyReport, size: str) -> None:
    for index, model in enumerate(report.models):
        one = next(one for one in model.sizes if one.size == size)
        colour = COLOURS[index % len(COLOURS)]
        axes.plot(one.recalls, one.precisions, color=colour, label=model.model)
        if one.precision is not None:
            axes.plot([one.recall], [one.precision], "o", color=colour, markersize=5)
    axes.set(xlim=(0, 1), ylim=(0, 1.01), xlabel="recall", ylabel="precision")
    axes.set_title(f"{_named(size)}; dots: at the score used", loc="left", fontsize=10)
    axes.grid(color="#dddddd", linewidth=0.6)


def _scores(axes: Any, report: AccuracyReport) -> None:
    for index, model in enumerate(report.models):
        one = model.sizes[0]
        colour = COLOURS[index % len(COLOURS)]
        axes.plot(one.scores, one.recalls, color=colour)
        axes.plot(one.scores, one.precisions, color=colour, linestyle=":")
    axes.set(xlim=(0, 1), ylim=(0, 1.01), xlabel="least score")
    axes.set_title("all faces: recall (lines) and precision (dotted)", loc="left", fontsize=10)
    axes.grid(color="#dddddd", linewidth=0.6)


def _by_size(axes: Any, report: AccuracyReport) -> None:
    width = 0.8 / len(report.models)
    for index, model in enumerate(report.models):
        shift = (index - (len(report.models) - 1) / 2) * width
        for place, one in enumerate(model.sizes):
            value = one.average_precision
            if value is None or value.low is None or value.high is None:
                continue
            spread = [[max(0.0, value.value - value.low)], [max(0.0, value.high - value.value)]]
            axes.bar(
                place + shift, value.value, width, yerr=spread, ecolor="#555555",
                color=COLOURS[index % len(COLOURS)], error_kw={"linewidth": 0.8},
            )  # fmt: skip
    names = [f"{one.size}\n({one.faces:,})" for one in report.models[0].sizes]
    axes.set_xticks(range(len(names)), names)
    axes.set_ylim(0, 1)
    axes.set_title("average precision by size, IoU 0.5", loc="left", fontsize=10)
    axes.grid(axis="y", color="#dddddd", linewidth=0.6)
    axes.set_axisbelow(True)


def _named(size: str) -> str:
    return "all faces" if size == "all" else f"faces {size}"
