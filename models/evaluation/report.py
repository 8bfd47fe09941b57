"""An evaluation as files: figures, pictures, and one HTML page that holds them all."""

from __future__ import annotations

import base64
import csv
import io
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from importlib.resources import files
from pathlib import Path

import numpy as np
import numpy.typing as npt

from fer_edge.engine.errors import OutputNotWritable
from fer_edge.engine.outputs import write_file
from fer_edge.engine.types import Floats

from .crops import CropLoss
from .metrics import (
    Counts,
    Figures,
    Labels,
    ReliabilityBin,
    most_confidently_wrong,
    reliability,
    roc_curves,
)
from .plots import confusion_png, coverage_png, crop_png, reliability_png, roc_png, sheet_png
from .sizes import SizeFigures
from .votes import VoteFigures

WORST = 40
SCHEMA = 1


@dataclass(frozen=True)
class Subject:
    """What was evaluated on what.

    Attributes:
        model: name of the model's file.
        sha256: of that file.
        runs_on: what computed, in which precision.
        data: name of the data set and of its split.
        classes: names, in the order of the columns.
    """

    model: str
    sha256: str
    runs_on: str
    data: str
    classes: tuple[str, ...]


@dataclass(frozen=True)
class Extra:
    """Figures that not every evaluation has.

    Attributes:
        votes: against what people said; None where nobody was asked.
        sizes: by the size of the face; empty where it was not asked for.
        crop: what a detector's crop costs; None where faces were looked at as they are.
    """

    votes: VoteFigures | None = None
    sizes: tuple[SizeFigures, ...] = ()
    crop: CropLoss | None = None


def write_report(
    folder: Path,
    subject: Subject,
    figures: Figures,
    rows: Floats,
    labels: Labels,
    images: npt.NDArray[np.uint8],
    names: tuple[str, ...],
    extra: Extra | None = None,
) -> Path:
    """Write `report.html`, `confusion.png`, `confusion.csv`, `roc.png`, `reliability.png`,
    `worst.png`, `figures.json` and `predictions.csv`, `coverage.png` where there are votes, and
    `crop.png` where a detector cut faces out of scenes.

    Args:
        folder: made where it is missing; files of that name in it are replaced.
        subject: see `Subject`.
        figures: of `measure`.
        rows: probabilities float32 `(n, classes)`.
        labels: the truth `(n,)`.
        images: the faces, uint8 `(n, h, w)`.
        names: a name a face.
        extra: more figures, if any.

    Returns:
        The path of the page.

    Raises:
        OutputNotWritable: the folder or a file cannot be written.
    """
    extra = extra or Extra()
    title = f"{subject.model} on {subject.data}"
    worst = most_confidently_wrong(rows, labels, WORST)
    captions = [_caption(rows[i], int(labels[i]), subject.classes) for i in worst]
    pictures = {
        "confusion": confusion_png(figures.confusion, subject.classes, title),
        "roc": roc_png(roc_curves(rows, labels), subject.classes, title),
        "reliability": reliability_png({"": bins_of(rows, labels, extra)}, title),
        "worst": sheet_png(images[worst], captions, "true class > answer, with its probability"),
    }
    if extra.votes is not None:
        points = [(point.share, point.right) for point in extra.votes.coverage]
        pictures["coverage"] = coverage_png({"": points}, title)
    if extra.crop is not None and extra.crop.sizes:
        pictures["crop"] = crop_png(extra.crop.sizes, title)
    contents = {f"{name}.png": data for name, data in pictures.items()} | {
        "confusion.csv": _confusion_csv(figures.confusion, subject.classes).encode(),
        "predictions.csv": _predictions_csv(rows, labels, names, subject.classes).encode(),
        "figures.json": json.dumps(as_json(subject, figures, extra), indent=1).encode(),
        "report.html": render(
            "report.html", pictures, title=title, subject=subject, figures=figures, extra=extra
        ),
    }
    write_files(folder, contents)
    return folder / "report.html"


def bins_of(rows: Floats, labels: Labels, extra: Extra) -> tuple[ReliabilityBin, ...]:
    """Bins of confidence by what people say, or else by labels."""
    return reliability(rows, labels) if extra.votes is None else extra.votes.reliability


def write_files(folder: Path, contents: Mapping[str, bytes]) -> None:
    """Write files into a folder, each as a whole.

    Raises:
        OutputNotWritable: the folder or a file cannot be written.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise OutputNotWritable(f"{folder}: cannot be made ({error.strerror})") from error
    for name, data in contents.items():
        write_file(folder / name, data)


def as_json(subject: Subject, figures: Figures, extra: Extra) -> dict[str, object]:
    """All figures as JSON values; those that nothing defines are null."""

    def clean(value: object) -> object:
        if isinstance(value, dict):
            return {key: clean(item) for key, item in value.items()}
        if isinstance(value, (list, tuple)):
            return [clean(item) for item in value]
        return None if isinstance(value, float) and np.isnan(value) else value

    raw = {
        "schema": SCHEMA,
        **asdict(subject),
        **asdict(figures),
        "confusion": figures.confusion.tolist(),
        "macro_f1": figures.macro_f1,
        "macro_auc": figures.macro_auc,
        **asdict(extra),
    }
    return {key: clean(value) for key, value in raw.items()}


def summary(figures: Figures, extra: Extra | None = None) -> str:
    """The figures for a terminal."""
    extra = extra or Extra()
    lines = _votes_lines(extra.votes) if extra.votes else []
    lines.append(f"accuracy          {figures.accuracy}")
    if figures.without_seen is not None:
        lines.append(f"not in training   {figures.without_seen}")
    lines += [
        f"macro F1          {figures.macro_f1:.3f}",
        f"macro AUC         {figures.macro_auc:.3f}",
        f"calibration error {figures.calibration_error:.3f}",
        "",
        f"{'class':12} {'precision':>9} {'recall':>7} {'F1':>7} {'AUC':>7} {'faces':>7}",
    ]
    for row in figures.per_class:
        values = (as_share(row.precision), as_share(row.recall), as_share(row.f1), as_area(row.auc))
        lines.append(
            f"{row.name[:12]:12} {values[0]:>9} {values[1]:>7} {values[2]:>7} {values[3]:>7} "
            f"{row.count:>7,}"
        )
    if extra.sizes:
        lines += ["", "face, pixels      right"]
        lines += [f"{row.side:<17} {row.accuracy}" for row in extra.sizes]
    if extra.crop is not None:
        lines += ["", *_crop_lines(extra.crop)]
    return "\n".join(lines)


def _crop_lines(crop: CropLoss) -> list[str]:
    usual = crop.usual
    lines = [f"found by {crop.detector}: {usual.found:,} of {usual.asked:,} faces"]
    if usual.whole is None:
        return lines
    lines += [
        f"as they are       {usual.whole}",
        f"as cropped        {usual.cropped}, {usual.lost * 100:.1f} points lost",
        "",
        f"{'face, pixels':17} {'found':>7} {'as is':>7} {'cropped':>8}",
    ]
    return lines + [
        f"{row.side:<17} {row.found / row.asked:>7.1%} {as_share(row.whole.share):>7} "
        f"{as_share(row.cropped.share):>8}"
        for row in crop.sizes
        if row.whole is not None
    ]


def at_surest(votes: VoteFigures, share: float) -> float:
    """What is right of a share of the answers, the surest, 0-1."""
    return min(votes.coverage, key=lambda point: abs(point.share - share)).right


def _votes_lines(votes: VoteFigures) -> list[str]:
    lines = [
        f"people agree      {votes.agreement}",
        f"of the surest 80% {at_surest(votes, 0.8):.1%}",
        f"calibration error {votes.calibration_error:.3f} by what people say",
        f"cross-entropy     {votes.cross_entropy:.3f} against their votes",
    ]
    if votes.confident is not None:
        at = votes.confident
        lines.append(
            f"nine of ten       from confidence {at.least_confidence:.2f} ({at.share:.1%})"
        )
    return lines


def render(template: str, pictures: Mapping[str, bytes], **values: object) -> bytes:
    """An HTML page that holds its pictures.

    Args:
        template: name of a file beside this one.
        pictures: PNG by name.
        values: for the template.
    """
    from jinja2 import Environment, FunctionLoader, StrictUndefined

    # A class or file may be named anything: everything is escaped.
    environment = Environment(
        loader=FunctionLoader(lambda name: (files(__package__) / name).read_text("utf-8")),
        autoescape=True,
        undefined=StrictUndefined,
    )
    environment.filters.update(share=as_share, area=as_area)
    encoded = {name: base64.b64encode(data).decode() for name, data in pictures.items()}
    return environment.get_template(template).render(pictures=encoded, **values).encode()


def as_share(value: float) -> str:
    """A share for people; `-` where it is not a number."""
    return "-" if np.isnan(value) else f"{value:.1%}"


def as_area(value: float) -> str:
    """A number of three digits for people; `-` where it is none."""
    return "-" if np.isnan(value) else f"{value:.3f}"


def _caption(row: Floats, truth: int, classes: tuple[str, ...]) -> str:
    guess = int(row.argmax())
    return f"{classes[truth]} > {classes[guess]}\n{row[guess]:.2f}"


def _confusion_csv(confusion: Counts, classes: tuple[str, ...]) -> str:
    rows = ([name, *map(int, counts)] for name, counts in zip(classes, confusion, strict=True))
    return _csv([["true class", *classes], *rows])


def _predictions_csv(
    rows: Floats, labels: Labels, names: tuple[str, ...], classes: tuple[str, ...]
) -> str:
    lines = (
        [name, classes[label], classes[int(row.argmax())], *(f"{value:.5f}" for value in row)]
        for name, label, row in zip(names, labels, rows, strict=True)
    )
    return _csv([["name", "true class", "answer", *classes], *lines])


def _csv(lines: Sequence[Sequence[object]]) -> str:
    text = io.StringIO()
    csv.writer(text).writerows(lines)
    return text.getvalue()
