"""What each command of `fer-bench` does with its options."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path

from fer_edge.engine.errors import BadInput, FerError
from fer_edge.engine.outputs import check_writable, write_file

from .compare import compare
from .intervals import Interval
from .options import options_from
from .page import check_installed, html_page
from .readme import check_place, update_readme
from .records import Report, read_report, write_report
from .tables import Table
from .text import markdown, print_report, print_table


def run(args: argparse.Namespace, command: Sequence[str]) -> None:
    """Measure, show and store."""
    from .workloads import check_extras, measure

    options = options_from(args)
    check_extras(options)
    _measure_and_store(args, command, partial(measure, options))


def _measure_and_store(
    args: argparse.Namespace, command: Sequence[str], measuring: Callable[..., None]
) -> None:
    """Measure into figures, and keep what there is even of a run that broke off."""
    from .workloads import Figures

    outputs = _outputs(args)
    figures = Figures()
    try:
        with _progress(args.quiet) as progress:
            measuring(figures, progress)
    except (FerError, KeyboardInterrupt):
        # What was measured by then may have taken an hour.
        if figures:
            figures.notes.append("the run broke off: this is what it had measured by then")
            _store(figures.report(command), outputs)
        raise
    report = figures.report(command)
    _store(report, outputs)
    if not args.quiet:
        print_report(report)


def figures(args: argparse.Namespace, command: Sequence[str]) -> None:
    """Measure what this project promises; see figures.py."""
    from .cli import build_parser
    from .figures import WORDS, measure_figures

    words = [*WORDS, "--repetitions", str(args.repetitions), "--seconds", str(args.seconds)]
    words += ["--frames", str(args.frames)] if args.frames is not None else []
    words += ["--baseline", "--graph", str(args.graph)] if args.graph else []
    if args.readme is not None:
        check_place(args.readme, args.json)
    options = options_from(build_parser().parse_args(words))
    _measure_and_store(args, command, partial(measure_figures, options))
    if args.readme is not None:
        update_readme(args.readme, read_report(args.json), args.json)


def soak_run(args: argparse.Namespace, command: Sequence[str]) -> None:
    """Watch memory over a long run."""
    from .workloads import measure_soak

    if args.frames < 1:
        raise BadInput(f"--frames {args.frames}: give 1 or more")
    given = argparse.Namespace(
        workload=["express"], faces=str(args.faces), size=args.size, streams=None, stages=None,
        source=None, photos=None, with_decode=False, with_outputs=False, repetitions=5,
        seconds=1.0, frames=None, graph=None, baseline=False, estimate=False, trace=None,
        **{name: getattr(args, name) for name in _ENGINE},
    )  # fmt: skip
    options = options_from(given)
    outputs = _outputs(args)
    with _progress(args.quiet) as progress:
        report = measure_soak(options, args.frames, command, progress)
    _store(report, outputs)
    if not args.quiet:
        print_report(report)


_ENGINE = (
    "detector", "expression", "backend", "precision", "threads",
    "detect_every", "classify_every", "tracker",
)  # fmt: skip


def accuracy(args: argparse.Namespace, command: Sequence[str]) -> None:
    """Measure how well detectors find labelled faces."""
    from .accuracy.command import finish, measured

    with _progress(args.quiet) as progress:
        report = measured(args, command, progress)
    finish(report, args)


def compare_reports(args: argparse.Namespace, command: Sequence[str]) -> None:
    """Show what changed between two reports."""
    found = compare(read_report(args.before), read_report(args.after))
    rows = [
        [one.what, _rate(one.before), _rate(one.after), str(one.ratio), one.verdict]
        for one in found.changes
    ]
    if not rows:
        raise BadInput(f"{args.before} and {args.after} have no case in common")
    note = (
        "Rates a second. Ratio: after over before, with Welch's 95 % interval over the "
        f"repetitions; noise where it holds 1, or is within {found.drift:.0%} of it, the drift "
        "between the runs."
    )
    print_table(Table("What changed", ["what", "before", "after", "ratio", ""], rows, note))
    for title, names in (("only before", found.only_before), ("only after", found.only_after)):
        for name in names:
            print(f"{title}: {name}")
    for warning in found.warnings:
        print(f"warning: {warning}")


def show_report(args: argparse.Namespace, command: Sequence[str]) -> None:
    """Show a stored report, or write it in another form."""
    report = read_report(args.report)
    outputs = _outputs(args)
    _store(report, outputs)
    if not outputs:
        print_report(report)


def write_readme(args: argparse.Namespace, command: Sequence[str]) -> None:
    """Put a report into a README."""
    update_readme(args.readme, read_report(args.report), args.report)


def _outputs(args: argparse.Namespace) -> dict[str, Path]:
    """The files asked for; each can be written, so that no measurement is lost for it."""
    outputs = {
        name: path
        for name in ("json", "markdown", "html")
        if (path := getattr(args, name, None)) is not None
    }
    if "html" in outputs:
        check_installed()
    for path in outputs.values():
        check_writable(path)
    return outputs


def _store(report: Report, outputs: dict[str, Path]) -> None:
    if "json" in outputs:
        write_report(report, outputs["json"])
    forms: dict[str, Callable[[Report], str]] = {"markdown": markdown, "html": html_page}
    for name, form in forms.items():
        if name in outputs:
            write_file(outputs[name], form(report))


@contextmanager
def _progress(quiet: bool) -> Iterator[Callable[[str], None]]:
    """One changing line on a terminal, nothing elsewhere."""
    from rich.console import Console

    console = Console(stderr=True)
    if quiet or not console.is_terminal:
        yield lambda _: None
        return
    with console.status("starting") as status:
        yield status.update


def _rate(value: float) -> str:
    return str(Interval(value, None, None))
