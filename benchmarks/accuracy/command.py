"""What `fer-bench accuracy` does with its options."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import replace
from datetime import datetime, timezone
from importlib.metadata import version

from fer_edge.engine.config import PipelineConfig
from fer_edge.engine.errors import BadInput
from fer_edge.engine.input_size import FaceSize, parse_size
from fer_edge.engine.outputs import check_writable

from ..machine import describe, this_machine
from ..opened import Opened, open_detector
from ..records import count_of
from ..text import print_line, print_table
from .distort import DISTORTIONS
from .labels import read_labels
from .measure import measure_accuracy
from .method import METHOD
from .plot import check_installed, draw
from .records import AccuracyReport, write_accuracy
from .tables import accuracy_tables

# Names in the line about pictures that cannot be read.
NAMED = 3


def measured(
    args: argparse.Namespace, command: Sequence[str], progress: Callable[[str], None]
) -> AccuracyReport:
    """Measure what the options ask for.

    Raises:
        FerError: labels, pictures or models cannot be used.
    """
    distortions = _distortions(args.distort)
    if args.plot is not None:
        check_installed()
    for path in filter(None, (args.json, args.plot)):
        check_writable(path)
    labels = read_labels(args.faces, args.images)
    with ExitStack() as opened:
        detectors = _open(args.models, _config(args), opened)
        figures = measure_accuracy(detectors, labels, distortions, progress)
    return AccuracyReport(
        created=datetime.now(timezone.utc).isoformat(timespec="seconds"),
        version=version("fer-edge"),
        command=list(command),
        machine=this_machine(),
        method=METHOD,
        labels=args.faces.name,
        form=labels.form,
        pictures=figures.pictures,
        faces=figures.faces,
        unreadable=figures.unreadable,
        models=figures.models,
    )


def finish(report: AccuracyReport, args: argparse.Namespace) -> None:
    """Store a report and show it, as the options ask.

    Raises:
        OutputNotWritable: a file cannot be written.
    """
    if args.json is not None:
        write_accuracy(report, args.json)
    if args.plot is not None:
        draw(report, args.plot)
    if not args.quiet:
        _show(report)


def _config(args: argparse.Namespace) -> PipelineConfig:
    size = parse_size(args.detect_size) if args.detect_size else None
    return PipelineConfig(
        backend=args.backend,
        precision=args.precision,
        threads=args.threads,
        min_face=FaceSize.parse(args.min_face),
        detect_size=size,
    )


def _open(models: Sequence[str], config: PipelineConfig, opened: ExitStack) -> list[Opened]:
    for name in models:
        if models.count(name) > 1:
            raise BadInput(f"{name} is named twice")
    every_score = replace(config, min_score=0.0)
    # By the names that were given: files of one name may lie in several folders.
    return [
        replace(open_detector(replace(every_score, detector=name), opened), name=name)
        for name in models
    ]


def _distortions(given: str | None) -> list[str]:
    """The names asked for; `all` are all, and the plain pictures come along with any."""
    if given is None:
        return []
    names = given.split(",")
    if names == ["all"]:
        return list(DISTORTIONS)
    for name in names:
        if name not in DISTORTIONS:
            raise BadInput(f"--distort {name}: give all, or some of {', '.join(DISTORTIONS)}")
    return list(dict.fromkeys(["plain", *names]))


def _show(report: AccuracyReport) -> None:
    print_line(
        f"fer-bench {report.version}, {report.created}: {count_of(report.faces, 'face')} in "
        f"{count_of(report.pictures, 'picture')} of {report.labels} ({report.form})"
    )
    print_line(describe(report.machine))
    for table in accuracy_tables(report):
        print_table(table)
    if report.unreadable:
        print_line(f"note: {unreadable_line(report.unreadable)}")


def unreadable_line(names: Sequence[str]) -> str:
    """Name the pictures that were left out, in one line."""
    more = len(names) - NAMED
    words = ", ".join(names[:NAMED]) + (f" and {more} more" if more > 0 else "")
    return f"{count_of(len(names), 'picture')} cannot be read, left out: {words}"
