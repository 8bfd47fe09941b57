"""The page that explains the JSON names what is in it."""

from __future__ import annotations

import re
from dataclasses import fields

from fer_edge.benchmarks.accuracy.records import (
    ACCURACY_SCHEMA,
    AccuracyReport,
    ModelResult,
    Robustness,
    SizeResult,
)

from ...conftest import REPOSITORY


def test_the_schema_page_names_every_field() -> None:
    page = (REPOSITORY / "benchmarks" / "schema.md").read_text()
    _, section = page.split(f"`fer-bench accuracy --json FILE`, schema {ACCURACY_SCHEMA}\n")
    named = set(re.findall(r"`(\w+)`", section))
    for kind in (AccuracyReport, ModelResult, SizeResult, Robustness):
        for field in fields(kind):
            assert field.name in named, f"{kind.__name__}.{field.name} is not in schema.md"
