"""The plot of a report."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

COLOURS = {
    "kcf": "#0b6e4f", "opencv": "#d1803a", "opencv plain": "#e2b07a", "2019": "#5b6fa8",
    "none": "#b5b5b5",
}  # fmt: skip
LABELS = {
    "kcf": "fer-edge KCF", "opencv": "cv2.TrackerKCF, shrunk", "opencv plain": "cv2.TrackerKCF",
    "2019": "2019 settings", "none": "no tracking",
}  # fmt: skip


def draw(report: Mapping[str, Any], path: Path) -> None:
    """Draw accuracy by class and update time by number of faces into a PNG."""
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    accuracy = report["accuracy"]
    intervals = list(next(iter(accuracy.values())))
    plt.rcParams.update({"font.size": 9, "axes.spines.top": False, "axes.spines.right": False})
    figure = plt.figure(figsize=(11, 7.5), layout="constrained")
    grid = figure.add_gridspec(len(intervals), 2, width_ratios=(2.4, 1))
    for row, every in enumerate(intervals):
        axes = figure.add_subplot(grid[row, 0])
        _accuracy(axes, accuracy, every)
    _speed(figure.add_subplot(grid[: max(1, len(intervals) - 1), 1]), report.get("speed", []))
    if len(intervals) > 1:
        _per_face(figure.add_subplot(grid[-1, 1]), report.get("speed", []))
    handles, labels = axes.get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower left", ncols=len(labels), frameon=False)
    figure.savefig(path, dpi=110)
    plt.close(figure)


def _accuracy(axes: Any, accuracy: Mapping[str, Any], every: str) -> None:
    kinds = list(next(iter(accuracy.values()))[every])
    width = 0.8 / len(accuracy)
    for index, (name, results) in enumerate(accuracy.items()):
        heights = [results[every][kind]["mean_iou"] for kind in kinds]
        places = [n + (index - (len(accuracy) - 1) / 2) * width for n in range(len(kinds))]
        axes.bar(places, heights, width, color=COLOURS.get(name), label=LABELS.get(name, name))
    axes.set_xticks(range(len(kinds)), kinds, rotation=40, ha="right")
    axes.set_ylim(0, 1)
    axes.set_xlim(-0.6, len(kinds) - 0.4)
    axes.grid(axis="y", color="#dddddd", linewidth=0.6)
    axes.set_axisbelow(True)
    axes.set_ylabel("mean IoU")
    axes.set_title(f"detection every {every} frames", loc="left", fontsize=10)


def _speed(axes: Any, speed: list[dict[str, Any]]) -> None:
    _lines(axes, speed, lambda row: row["median_us"] / 1e3)
    axes.set_title("update of all faces, ms", loc="left", fontsize=10)


def _per_face(axes: Any, speed: list[dict[str, Any]]) -> None:
    _lines(axes, speed, lambda row: row["median_us"] / 1e3 / row["faces"])
    axes.set_title("the same, a face, ms", loc="left", fontsize=10)
    axes.set_xlabel("faces")


def _lines(axes: Any, speed: list[dict[str, Any]], value: Any) -> None:
    for name in dict.fromkeys(row["tracker"] for row in speed):
        rows = [row for row in speed if row["tracker"] == name]
        values = [value(row) for row in rows]
        axes.plot(
            [row["faces"] for row in rows], values, "o-", color=COLOURS.get(name), markersize=4
        )
    counts = sorted({row["faces"] for row in speed})
    axes.set_xscale("log", base=2)
    axes.set_yscale("log")
    axes.set_xticks(counts, [str(count) for count in counts])
    axes.minorticks_off()
    axes.yaxis.set_major_formatter(lambda number, _: f"{number:g}")
    axes.grid(color="#dddddd", linewidth=0.6)
    axes.set_axisbelow(True)
