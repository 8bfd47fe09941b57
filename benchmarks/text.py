"""A report for a terminal, and as Markdown."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from .machine import describe
from .records import Report
from .tables import Table, about_lines, tables

if TYPE_CHECKING:
    from rich.console import Console


def print_report(report: Report) -> None:
    """Print every table; narrow terminals fold their cells."""
    console = _console()
    console.print(f"[bold]fer-bench[/] {report.version}, {report.created}", highlight=False)
    console.print(describe(report.machine), highlight=False, markup=False)
    for line in about_lines(report):
        console.print(line, highlight=False, markup=False)
    for table in tables(report):
        print_table(table)
    for note in report.notes:
        console.print(f"note: {note}", highlight=False, markup=False, style="yellow")


def print_line(text: str) -> None:
    """Print words in a line of their own, as they are."""
    _console().print(text, highlight=False, markup=False)


def print_table(table: Table) -> None:
    """Print one table with its note below."""
    from rich.table import Table as RichTable
    from rich.text import Text

    console = _console()
    made = RichTable(title=table.title, title_justify="left", title_style="bold", expand=False)
    for index, name in enumerate(table.columns):
        made.add_column(name, justify="left" if wordy(table, index) else "right")
    for row in table.rows:
        made.add_row(*(Text(cell) for cell in row))
    console.print()
    console.print(made)
    if table.note:
        console.print(table.note, style="dim", highlight=False, markup=False)


def markdown(report: Report) -> str:
    """The whole report as Markdown."""
    parts = [f"# fer-bench {report.version}, {report.created}", describe(report.machine) + "."]
    parts += ["\n".join(f"- {line}" for line in about_lines(report))]
    for table in tables(report):
        parts += [f"## {table.title}", markdown_table(table)]
        parts += [table.note] if table.note else []
    parts += ["## Method", "\n".join(f"- {topic}: {text}" for topic, text in report.method.items())]
    if report.notes:
        parts += ["## Not done", "\n".join(f"- {note}" for note in report.notes)]
    parts.append(f"Command: `{' '.join(report.command)}`")
    return "\n\n".join(parts) + "\n"


def markdown_table(table: Table) -> str:
    """One table in GitHub's form."""
    rules = ["---" if wordy(table, index) else "---:" for index in range(len(table.columns))]
    lines = [table.columns, rules, *table.rows]
    return "\n".join(f"| {' | '.join(_escaped(line))} |" for line in lines)


def _escaped(cells: Sequence[str]) -> list[str]:
    return [cell.replace("|", "\\|") for cell in cells]


def wordy(table: Table, index: int) -> bool:
    """Whether a column holds words, which begin at the left."""
    if table.columns[index] in ("program", "over", "input"):
        return True
    cells = [row[index] for row in table.rows]
    return index == 0 or not all(cell[:1].isdigit() or cell in ("", "-") for cell in cells)


def _console() -> Console:
    from rich.console import Console

    console = Console()
    # In a file or pipe nothing is gained by folding.
    return console if console.is_terminal else Console(width=150)
