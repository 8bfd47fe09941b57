from __future__ import annotations

import json
from dataclasses import fields, is_dataclass
from pathlib import Path

import pytest

from fer_edge.benchmarks import records
from fer_edge.benchmarks.records import SCHEMA, read_report, write_report
from fer_edge.engine.errors import BadInput, InputNotFound

from ..conftest import REPOSITORY
from .reports import report


def test_a_report_survives_its_file(tmp_path: Path) -> None:
    write_report(report(), tmp_path / "report.json")
    assert read_report(tmp_path / "report.json") == report()
    assert [path.name for path in tmp_path.iterdir()] == ["report.json"]


@pytest.mark.parametrize(
    ("damage", "words"),
    [
        (lambda raw: {**raw, "schema": 99}, "schema 99, this version reads 1"),
        (lambda raw: {**raw, "surprise": 1}, "unknown Report surprise"),
        (lambda raw: {**raw, "cases": "many"}, "found str 'many'"),
        (lambda raw: {**raw, "ceilings": {"copy_bytes_s": 1}}, "product_flop_s"),
        (lambda raw: {**raw, "machine": {**raw["machine"], "cores": True}}, "found bool"),
        (lambda raw: [], "not a report"),
    ],
)
def test_what_is_no_report_is_refused_in_one_line(damage, words: str, tmp_path: Path) -> None:
    write_report(report(), tmp_path / "report.json")
    raw = json.loads((tmp_path / "report.json").read_text())
    (tmp_path / "report.json").write_text(json.dumps(damage(raw)))
    with pytest.raises(BadInput, match=r"report\.json: not a report of fer-bench") as caught:
        read_report(tmp_path / "report.json")
    assert words in str(caught.value)
    assert "\n" not in str(caught.value)


def test_no_file_and_no_json(tmp_path: Path) -> None:
    with pytest.raises(InputNotFound, match="no such report"):
        read_report(tmp_path / "none.json")
    (tmp_path / "noise.json").write_text("{nothing")
    with pytest.raises(BadInput, match="not a report"):
        read_report(tmp_path / "noise.json")


def test_the_schema_page_names_every_field() -> None:
    page = (REPOSITORY / "benchmarks" / "schema.md").read_text()
    assert f"schema {SCHEMA}\n" in page
    named = set(page.replace('"', "`").split("`"))
    for kind in vars(records).values():
        if isinstance(kind, type) and is_dataclass(kind) and kind.__module__ == records.__name__:
            if kind is records.Work:  # counted on the way, not stored
                continue
            for field in fields(kind):
                assert field.name in named, f"{kind.__name__}.{field.name} is not in schema.md"
