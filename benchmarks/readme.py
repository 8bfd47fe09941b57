"""The README's performance section, made from a committed report."""

from __future__ import annotations

from pathlib import Path

from fer_edge.engine.errors import BadInput, InputNotFound
from fer_edge.engine.outputs import write_file

from .machine import describe
from .records import Contestant, Report
from .tables import Table, about_lines, tables, tail
from .text import markdown_table

# Titles of tables that stand there too.
ALSO = ("One detection", "fer-run on its demo")
BEGIN, END = "<!-- fer-bench: begin -->", "<!-- fer-bench: end -->"


def section(report: Report, source: str) -> str:
    """The section as Markdown, markers included.

    Args:
        report: what was measured.
        source: the report's file, relative to the README, for the link.
    """
    parts = [
        BEGIN,
        f"Measured by `fer-bench` on {describe(report.machine)} "
        f"([report]({source}), {report.created[:10]}). 95 % intervals in brackets.",
    ]
    if lines := about_lines(report):
        parts.append("\n".join(f"- {line}" for line in lines))
    chosen = [table for table in tables(report) if table.title == "The published claims"]
    chosen += [_speed(report)]
    chosen += [table for table in tables(report) if table.title.startswith(ALSO)]
    for table in chosen:
        if table.rows:
            parts += [f"**{table.title}**", markdown_table(table)]
            parts += [table.note] if table.note else []
    return "\n\n".join([*parts, END])


def _speed(report: Report) -> Table:
    rows = []
    for result in report.cases:
        ours = result.contestants[0]
        over = next((ratio for ratio in result.ratios if ratio.over == "2019"), None)
        rows.append(
            [
                result.case.title,
                str(ours.fps),
                *_milliseconds(ours),
                tail(ours.times),
                f"{over.fps}" if over else "-",
                f"{result.startup.peak_rss_bytes / 1e6:.0f}" if result.startup else "-",
            ]
        )
    return Table(
        "Speed, frame fetched to result",
        ["case", "fps", "p50 ms", "p99 ms", "p99 over p50", "times the program of 2019", "peak MB"],
        rows,
        report.method["percentiles"],
    )


def _milliseconds(one: Contestant) -> list[str]:
    values = (one.times.p50_s, one.times.p99_s)
    return ["-" if value is None else f"{value * 1e3:.2f}" for value in values]


def replaced(text: str, new: str, name: str = "README.md") -> str:
    """`text` with everything between the markers replaced by `new`, which holds them.

    Raises:
        BadInput: the markers are not there, once each and in order.
    """
    begin, end = text.find(BEGIN), text.find(END)
    if text.count(BEGIN) != 1 or text.count(END) != 1 or end < begin:
        raise BadInput(f"{name}: needs {BEGIN} and {END}, once each, around the section")
    return text[:begin] + new + text[end + len(END) :]


def check_place(readme: Path, report_path: Path | None) -> str:
    """The report's file relative to the README, to be linked there.

    Raises:
        InputNotFound: no file at `readme`.
        BadInput: it has no markers, or the report does not lie below its folder.
    """
    if not readme.is_file():
        raise InputNotFound(f"{readme}: no such file")
    replaced(readme.read_text(encoding="utf-8"), "", str(readme))
    if report_path is None:
        raise BadInput(f"{readme} links the report: give it a file with --json")
    try:
        return report_path.resolve().relative_to(readme.resolve().parent).as_posix()
    except ValueError as error:
        raise BadInput(f"{report_path}: is not below the folder of {readme}") from error


def update_readme(readme: Path, report: Report, report_path: Path) -> None:
    """Rewrite the section of a README.

    Raises:
        InputNotFound: no file at `readme`.
        BadInput: it has no markers, or the report lies outside its folder.
        OutputNotWritable: it cannot be written.
    """
    source = check_place(readme, report_path)
    text = replaced(readme.read_text(encoding="utf-8"), section(report, source), str(readme))
    write_file(readme, text)
