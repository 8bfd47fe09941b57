"""An accuracy report as tables of text."""

from __future__ import annotations

from ..tables import Table
from .method import METHOD
from .records import AccuracyReport, ModelResult


def accuracy_tables(report: AccuracyReport) -> list[Table]:
    """Every table that the report has figures for, the most asked-for first."""
    made = [_precision(report), _scores(report), _robustness(report), _plans(report)]
    return [table for table in made if table.rows]


def _precision(report: AccuracyReport) -> Table:
    sizes = [one.size for one in report.models[0].sizes]
    faces = [f"{one.size} ({one.faces:,})" for one in report.models[0].sizes]
    rows = [[model.model, *(_average(model, size) for size in sizes)] for model in report.models]
    return Table(
        "Average precision at IoU 0.5, by the faces' shorter side (their number)",
        ["model", *faces],
        rows,
        "95 % intervals in brackets, of pictures drawn again. " + METHOD["sizes"],
    )


def _average(model: ModelResult, size: str) -> str:
    value = next(one.average_precision for one in model.sizes if one.size == size)
    if value is None:
        return "-"
    if value.low is None or value.high is None:
        return f"{value.value:.3f}"
    return f"{value.value:.3f} ({value.low:.2f} to {value.high:.2f})"


def _scores(report: AccuracyReport) -> Table:
    rows = []
    for model in report.models:
        for one in model.sizes:
            over = one.over_first
            rows.append(
                [
                    model.model,
                    one.size,
                    f"{model.default_score:g}",
                    "-" if one.precision is None else f"{one.precision:.3f}",
                    f"{one.recall:.3f}" if one.faces else "-",
                    "-"
                    if over is None
                    else f"{over.value:+.3f} ({over.low:+.3f} to {over.high:+.3f})",
                ]
            )
    return Table(
        "As they are used",
        ["model", "faces", "score", "precision", "recall", "AP over the first model's"],
        rows,
        METHOD["precision and recall"],
    )


def _robustness(report: AccuracyReport) -> Table:
    names = [one.distortion for one in report.models[0].robustness]
    rows = [
        [model.model, *(f"{one.share:.1%}" for one in model.robustness)] for model in report.models
    ]
    shown = [f"{one.distortion} ({one.faces:,})" for one in report.models[0].robustness]
    return Table(
        "Found in distorted pictures (faces shown)",
        ["model", *shown],
        rows if names else [],
        METHOD["distortions"],
    )


def _plans(report: AccuracyReport) -> Table:
    rows = [
        [model.model, model.plan, _sees(model), f"{model.median_s * 1e3:.1f}"]
        for model in report.models
    ]
    return Table(
        "What computed", ["model", "plan", "input", "median ms a picture"], rows, METHOD["time"]
    )


def _sees(model: ModelResult) -> str:
    others = len(model.sees) - 1
    return model.sees[0] + (f" and {others} others" if others else "")
