"""The report: one JSON object, one table, one plot."""

from __future__ import annotations

import json
import platform
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from rich.console import Console
from rich.table import Table

from fer_edge.engine.outputs import write_file

from .metrics import Score

SCHEMA = 1
"""Keys of a report: `schema`, `machine`, `settings`; `speed`: a list of `speed.Speed`;
`accuracy`: by tracker, then interval of detection, then class: `mean_iou`, `success`, `auc`,
`missed`, `false_tracks`, `switches`; `notice`: by tracker, `delays` in frames, `within_5`,
`false_losses`, `in_view`. Shares are 0-1."""


def new_report(settings: Mapping[str, Any]) -> dict[str, Any]:
    """A report without results."""
    return {"schema": SCHEMA, "machine": machine(), "settings": dict(settings)}


def machine() -> dict[str, str]:
    """What the figures were measured on."""
    cpuinfo = Path("/proc/cpuinfo")
    text = cpuinfo.read_text(errors="replace") if cpuinfo.is_file() else ""
    name = re.search(r"^model name\s*:\s*(.*)$", text, flags=re.M)
    cores = len(re.findall(r"^processor\s*:", text, flags=re.M))
    amx = " with AMX" if "amx_tile" in text else ""
    return {
        "cpu": f"{name[1] if name else platform.machine()}{amx}, {cores} cores",
        "python": platform.python_version(),
        "numpy": np.__version__,
        "opencv": cv2.__version__,
    }


def figures(score: Score) -> dict[str, float]:
    """A score as numbers for the report."""
    return {
        "mean_iou": round(score.mean_iou, 4),
        "success": round(score.success, 4),
        "auc": round(score.auc, 4),
        "missed": round(score.missed, 4),
        "false_tracks": round(score.false_share, 4),
        "switches": score.switches,
    }


def write(report: Mapping[str, Any], path: Path) -> None:
    """Write a report beside its final name and move it into place."""
    write_file(path, json.dumps(report, indent=1) + "\n")


def show(report: Mapping[str, Any], console: Console) -> None:
    """Print the tables of a report."""
    if "speed" in report:
        _show_speed(report["speed"], console)
    if "accuracy" in report:
        _show_accuracy(report["accuracy"], console)
    if "notice" in report:
        _show_notice(report["notice"], console)


def _show_speed(speed: list[dict[str, Any]], console: Console) -> None:
    counts = sorted({row["faces"] for row in speed})
    table = Table("update time", *(f"{count} faces" if count > 1 else "1 face" for count in counts))
    for name in dict.fromkeys(row["tracker"] for row in speed):
        rows = {row["faces"]: row for row in speed if row["tracker"] == name}
        table.add_row(name, *(_time(rows[count]) if count in rows else "" for count in counts))
    table.caption = "of all faces; times as fast as cv2.TrackerKCF"
    console.print(table)


def _time(row: Mapping[str, Any]) -> str:
    return f"{row['median_us'] / 1e3:.2f} ms  {row['ratio']:.1f}x"


def _show_accuracy(accuracy: Mapping[str, Any], console: Console) -> None:
    trackers = list(accuracy)
    for every in accuracy[trackers[0]]:
        table = Table(f"mean IoU, every {every}", *trackers)
        for kind in accuracy[trackers[0]][every]:
            values = [accuracy[name][every][kind] for name in trackers]
            best = max(value["mean_iou"] for value in values)
            cells = [
                f"[bold]{v['mean_iou']:.3f}[/]" if v["mean_iou"] == best else f"{v['mean_iou']:.3f}"
                for v in values
            ]
            table.add_row(
                kind, *(f"{c} {v['switches'] or '':>2}" for c, v in zip(cells, values, strict=True))
            )
        table.caption = "behind it, switched ids"
        console.print(table)


def _show_notice(notice: Mapping[str, Any], console: Console) -> None:
    table = Table("hidden faces", "noticed within 5 frames", "lost in view")
    for name, row in notice.items():
        table.add_row(name, f"{row['within_5']:.0%}", f"{row['false_losses']} of {row['in_view']}")
    console.print(table)
