"""Evaluations of several models on the same faces, side by side."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

from .evaluate import Evaluation
from .metrics import Accuracy
from .plots import coverage_png, recall_png, reliability_png
from .report import SCHEMA, as_area, as_json, as_share, at_surest, bins_of, render, write_files

Table = dict[str, list[str]]


def names_of(paths: Sequence[Path]) -> list[str]:
    """A name for each file: as much of the end of its path as tells them apart."""
    parts = [path.absolute().parts for path in paths]
    for count in range(1, max(map(len, parts)) + 1):
        names = ["/".join(one[-count:]) for one in parts]
        if len(set(names)) == len(names):
            return names
    return [f"{path.name} ({number})" for number, path in enumerate(paths, 1)]


def table_of(evaluations: Sequence[Evaluation]) -> Table:
    """Figures by name, a text a model; `-` where one has no such figure."""
    columns = [_figures(one) for one in evaluations]
    names = dict.fromkeys(name for column in columns for name in column)
    return {name: [column.get(name, "-") for column in columns] for name in names}


def comparison_text(names: Sequence[str], table: Table) -> str:
    """The table for a terminal."""
    first = max(map(len, table))
    widths = [
        max(len(name), *(len(row[at]) for row in table.values())) for at, name in enumerate(names)
    ]
    lines = [("", list(names)), *table.items()]
    return "\n".join(
        f"{title:{first}}" + "".join(f"  {text:>{w}}" for text, w in zip(row, widths, strict=True))
        for title, row in lines
    )


def write_comparison(
    folder: Path, names: Sequence[str], evaluations: Sequence[Evaluation]
) -> tuple[Path, Table]:
    """Write `report.html`, `recall.png`, `reliability.png` and `figures.json`, and
    `coverage.png` where there are votes.

    Args:
        folder: holds the models' own reports too; made where it is missing.
        names: of the models.
        evaluations: of each, on the same faces.

    Returns:
        The path of the page, and its table.

    Raises:
        OutputNotWritable: the folder or a file cannot be written.
    """
    by_name = dict(zip(names, evaluations, strict=True))
    subject = evaluations[0].subject
    title = f"{len(names)} models on {subject.data}"
    pictures = {
        "recall": recall_png(
            {name: [row.recall for row in one.figures.per_class] for name, one in by_name.items()},
            subject.classes,
            title,
        ),
        "reliability": reliability_png(
            {name: bins_of(one.rows, one.labels, one.extra) for name, one in by_name.items()},
            title,
        ),
    }
    curves = {
        name: [(point.share, point.right) for point in one.extra.votes.coverage]
        for name, one in by_name.items()
        if one.extra.votes is not None
    }
    if curves:
        pictures["coverage"] = coverage_png(curves, title)
    table = table_of(evaluations)
    pages = [one.page.relative_to(folder).as_posix() for one in evaluations]
    page = render(
        "comparison.html", pictures, title=title, models=list(zip(names, pages, strict=True)),
        table=table,
    )  # fmt: skip
    figures = [
        {"name": name, **as_json(one.subject, one.figures, one.extra)}
        for name, one in by_name.items()
    ]
    write_files(
        folder,
        {f"{name}.png": data for name, data in pictures.items()}
        | {
            "figures.json": json.dumps({"schema": SCHEMA, "models": figures}, indent=1).encode(),
            "report.html": page,
        },
    )
    return folder / "report.html", table


def _figures(one: Evaluation) -> dict[str, str]:
    figures, votes, crop = one.figures, one.extra.votes, one.extra.crop
    rows = {}
    if votes is not None:
        rows["people agree"] = _with_interval(votes.agreement)
        rows["of the surest 80%"] = as_share(at_surest(votes, 0.8))
        rows["calibration error, by people"] = as_area(votes.calibration_error)
        rows["cross-entropy, their votes"] = as_area(votes.cross_entropy)
    rows["accuracy"] = _with_interval(figures.accuracy)
    if figures.without_seen is not None:
        rows["not in training"] = _with_interval(figures.without_seen)
    rows["macro F1"] = as_area(figures.macro_f1)
    rows["macro AUC"] = as_area(figures.macro_auc)
    rows["calibration error"] = as_area(figures.calibration_error)
    rows |= {f"recall, {row.name}": as_share(row.recall) for row in figures.per_class}
    rows |= {f"at {row.side} pixels": as_share(row.accuracy.share) for row in one.extra.sizes}
    if crop is not None:
        rows[f"found by {crop.detector}"] = as_share(crop.usual.found / crop.usual.asked)
        if crop.usual.whole is not None:
            rows["points lost by its crop"] = f"{crop.usual.lost * 100:.1f}"
        rows |= {f"cropped, {row.side} pixels": as_share(row.cropped.share) for row in crop.sizes}
    return rows


def _with_interval(value: Accuracy) -> str:
    if not value.count:
        return "-"
    return f"{as_share(value.share)} ({value.low * 100:.1f} to {value.high * 100:.1f})"
