"""What a conversion tells its user."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from time import perf_counter
from typing import Any

from fer_edge.engine.outputs import PendingFile

from .conversion import Conversion, Step
from .parity import Parity, as_json


def make_step(quiet: bool) -> Step:
    """Progress of long steps on standard error: a spinner on a terminal, else a line each."""

    @contextmanager
    def step(title: str) -> Iterator[None]:
        if quiet:
            yield
        elif sys.stderr.isatty():
            from rich.console import Console

            console = Console(stderr=True)
            started = perf_counter()
            with console.status(title):
                yield
            console.print(f"{title}  [dim]{perf_counter() - started:.1f} s[/dim]", highlight=False)
        else:
            print(title, file=sys.stderr, flush=True)
            yield

    return step


def print_table(conversion: Conversion, parity: Parity, path: Path, seconds: float) -> None:
    """Print the conversion's outcome to standard output."""
    from rich.console import Console
    from rich.table import Table

    table = Table(box=None, show_header=False, padding=(0, 2, 0, 0))
    table.add_column(style="bold", no_wrap=True)
    table.add_column(overflow="fold")
    for name, value in _rows(conversion, path, seconds).items():
        table.add_row(name, value)
    table.add_section()
    for name, value in parity.rows().items():
        table.add_row(name, value)
    console = Console(highlight=False)
    console.print(table)
    for note in (*conversion.notes, *parity.notes()):
        console.print(f"note: {note}", markup=False)
    console.print("parity with the original: passed", style="green")


def write_json(
    conversion: Conversion, parity: Parity, output: PendingFile, seconds: float, out: PendingFile
) -> None:
    """Write the same as JSON, while the model still has its pending name.

    Raises:
        OutputNotWritable: no room left for it, or the like.
    """
    report = {
        "schema": 1,
        "output": str(output.final),
        "bytes": output.path.stat().st_size,
        "seconds": round(seconds, 2),
        "facts": json.loads(conversion.facts.to_json()),
        "description": conversion.description,
        "operators_before": conversion.operators[0],
        "operators_after": conversion.operators[1],
        "parity": as_json(parity),
        "notes": [*conversion.notes, *parity.notes()],
    }
    with out.writing(), out.open(encoding="utf-8", errors="backslashreplace") as file:
        file.write(json.dumps(report, indent=1) + "\n")


def _rows(conversion: Conversion, path: Path, seconds: float) -> Mapping[str, Any]:
    before, after = conversion.operators
    return {
        **conversion.description,
        "operators": f"{sum(before.values())} before, {sum(after.values())} after ({_few(after)})",
        "precision": conversion.facts.precision,
        "written": f"{path}, {path.stat().st_size / 1e6:.1f} MB, in {seconds:.1f} s",
    }


def _few(counts: Mapping[str, int]) -> str:
    common = sorted(counts.items(), key=lambda item: -item[1])[:4]
    return ", ".join(f"{count} {name}" for name, count in common) + ", ..."
