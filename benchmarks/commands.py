"""What each command of `fer-bench` does with its options."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from fer_edge.engine.errors import BadInput, FerError
from fer_edge.engine.outputs import PendingFile

from .compare import compare
from .intervals import Interval
from .options import options_from
from .page import check_installed, html_page
from .readme import update_readme
from .records import Report, read_report, write_report
from .tables import Table
from .text import markdown, print_report, print_table


def run(args: argparse.Namespace, command: Sequence[str]) -> None:
    """Measure, show and store."""
    from .workloads import Figures, check_extras, measure

    options = options_from(args)
    check_extras(options)
    outputs = _outputs(args)
    figures = Figures()
    try:
        with _progress(args.quiet) as progress:
            measure(options, figures, progress)
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
    "detector", "expression", "backend", "precision", "detect_every", "classify_every", "tracker",
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
        PendingFile(path).discard()
    return outputs


def _store(report: Report, outputs: dict[str, Path]) -> None:
    if "json" in outputs:
        write_report(report, outputs["json"])
    forms: dict[str, Callable[[Report], str]] = {"markdown": markdown, "html": html_page}
    for name, form in forms.items():
        if name in outputs:
            pending = PendingFile(outputs[name])
            pending.path.write_text(form(report), encoding="utf-8")
            pending.commit()


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
