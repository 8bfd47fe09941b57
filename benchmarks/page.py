"""A report as one HTML page that needs nothing else."""

from __future__ import annotations

from importlib.resources import files

from fer_edge.engine.errors import BackendUnavailable

from .machine import describe
from .records import Report
from .tables import ESTIMATED, about_lines, tables
from .text import wordy

INSTALL = "pip install 'fer-edge[bench]'"


def html_page(report: Report) -> str:
    """Tables and pictures in one page.

    Raises:
        BackendUnavailable: Matplotlib or Jinja is missing.
    """
    check_installed()
    from jinja2 import Environment, StrictUndefined

    from .plots import plots

    template = (files(__package__) / "report.html").read_text(encoding="utf-8")
    # A source or device may be named anything: everything is escaped.
    environment = Environment(autoescape=True, undefined=StrictUndefined)
    environment.tests["wordy"] = wordy
    return environment.from_string(template).render(
        report=report,
        machine=describe(report.machine),
        models=about_lines(report),
        tables=tables(report),
        estimated=ESTIMATED,
        plots=plots(report),
    )


def check_installed() -> None:
    """Say before a long measurement what its page will lack.

    Raises:
        BackendUnavailable: Matplotlib or Jinja is missing.
    """
    from importlib.util import find_spec

    for name in ("jinja2", "matplotlib"):
        if find_spec(name) is None:
            raise BackendUnavailable(f"--html needs {name}: {INSTALL}")
