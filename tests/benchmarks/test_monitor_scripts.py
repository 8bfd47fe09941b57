"""The monitor's measuring scripts run and print what they promise."""

from __future__ import annotations

import re

from ..conftest import REPOSITORY
from .test_scripts import run


def test_a_monitors_memory_is_printed_as_it_runs() -> None:
    lines = run(REPOSITORY / "benchmarks" / "monitor_soak.py", "--frames", 4000)
    assert len(lines) == 21
    assert all("MB" in line for line in lines)
    assert lines[-1].startswith("4000 frames")


def test_a_day_of_history_is_measured() -> None:
    lines = run(REPOSITORY / "benchmarks" / "monitor_history.py", "--faces", 1)
    # 23 or 25 hours are a day too, where clocks are changed.
    assert re.match(r"(82800|86400|90000) rows", lines[0])
    assert [line.split("  ")[0] for line in lines[1:]] == [
        "day page", "day page again", "CSV of the day",
    ]  # fmt: skip


def test_the_cost_of_serving_is_measured() -> None:
    script = REPOSITORY / "benchmarks" / "monitor_serving.py"
    lines = run(script, "--rounds", 1, "--seconds", 0.5)
    assert [line[:10].strip() for line in lines] == ["alone", "nobody", "1 viewer", "8 viewers"]
    assert "ratio to alone 1.000" in lines[0]
