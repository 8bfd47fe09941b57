"""What is made of a report: claims, comparisons, tables, pages, and the README's section."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import pytest

from fer_edge.benchmarks.claims import claims
from fer_edge.benchmarks.compare import compare
from fer_edge.benchmarks.page import html_page
from fer_edge.benchmarks.readme import BEGIN, END, replaced, section, update_readme
from fer_edge.benchmarks.records import CaseResult, Report, read_report, write_report
from fer_edge.benchmarks.tables import ESTIMATED, tables
from fer_edge.benchmarks.text import markdown
from fer_edge.engine.errors import BadInput, InputNotFound

from ..conftest import REPOSITORY
from .reports import CASE, contestant, report, result


def of_fps(fps: float, faces: int = 1) -> CaseResult:
    """A case whose frames detect every tenth time at four times the cost."""
    made = result()
    return replace(made, contestants=[contestant("fer-edge", 1 / fps / 1.3, faces)])


@pytest.mark.parametrize(
    ("fps", "faces", "words"),
    [
        (400, 1, "faster than published"),
        (40, 1, "slower than published"),
        (78 * 0.9888, 1, "as fast as published"),
        (400, 2, "no verdict: the results held 2.00 faces"),
    ],
)
def test_a_claim_has_the_verdict_of_its_interval(fps: float, faces: int, words: str) -> None:
    (claim,) = claims([of_fps(fps, faces)])
    assert claim.verdict.startswith(words)
    assert claim.ratio.value == pytest.approx(claim.measured.value / 78)
    assert claim.measured.value > claim.measured_full.value


@pytest.mark.parametrize(
    "change",
    [
        {"faces": 4},
        {"width": 1280},
        {"streams": 2},
        {"detect_every": 1},
        {"classify_every": 2},
        {"outputs": True},
    ],
)
def test_only_the_published_setting_makes_a_claim(change: dict[str, object]) -> None:
    assert claims([replace(result(), case=replace(CASE, **change))]) == []  # type: ignore[arg-type]


def with_cases(*cases: CaseResult) -> Report:
    return replace(report(), cases=list(cases), stages=[], conversions=[])


@pytest.mark.parametrize(
    ("factor", "verdict"), [(1.0, "noise"), (0.8, "faster"), (1.25, "slower"), (0.98, "noise")]
)
def test_a_change_is_told_from_noise(factor: float, verdict: str) -> None:
    before, after = with_cases(result(seed=1)), with_cases(result(frame_s=0.002 * factor, seed=2))
    found = compare(before, after)
    ours = next(change for change in found.changes if change.what.startswith("fer-edge"))
    assert ours.verdict == verdict
    assert ours.ratio.value == pytest.approx(1 / factor, rel=0.02)
    assert found.warnings == []


def test_what_the_machine_changed_by_itself_is_noise() -> None:
    def with_control(frame_s: float, old_s: float, seed: int) -> Report:
        made = result(frame_s=frame_s, seed=seed)
        return with_cases(
            replace(made, contestants=[made.contestants[0], contestant("2019", old_s, seed=seed)])
        )

    before, after = with_control(0.002, 0.04, 1), with_control(0.0022, 0.046, 2)
    found = compare(before, after)
    assert [change.verdict for change in found.changes] == ["noise", "control"]
    assert found.drift == pytest.approx(1 - 0.04 / 0.046, rel=0.05)
    steady = compare(before, with_control(0.0022, 0.04, 2))
    assert [change.verdict for change in steady.changes] == ["slower", "control"]


def test_a_comparison_says_what_is_missing_and_what_else_differs() -> None:
    before = with_cases(result())
    other = replace(CASE, precision="bf16")
    machine = replace(before.machine, libraries={"numpy": "2.1"}, cores=4)
    after = with_cases(
        replace(result(), case=other), replace(result(), case=replace(CASE, faces=9))
    )
    found = compare(before, replace(after, machine=machine))
    assert any("9 faces" in name for name in found.only_after)
    said = " / ".join(found.warnings)
    assert "other machine" in said
    assert "other numpy: 2.0, then 2.1" in said
    assert "other precision: fp32, then bf16" in said


def test_every_part_of_a_report_has_a_table_whose_rows_are_whole() -> None:
    made = tables(report())
    assert len(made) == 16  # a breakdown for each of four cases among them
    for table in made:
        assert all(len(row) == len(table.columns) for row in table.rows), table.title
    empty = Report("", "", [], report().machine, {})
    assert tables(empty) == []


def test_markdown_holds_every_figure_of_the_tables() -> None:
    text = markdown(report())
    for table in tables(report()):
        assert f"## {table.title}" in text
        for row in table.rows:
            assert all(cell.replace("|", "\\|") in text for cell in row)
    assert "something was left out" in text


def test_the_page_is_whole_by_itself_and_escapes_names() -> None:
    page = html_page(report())
    assert "Some &lt;Processor&gt;" in page
    assert "<Processor>" not in page
    assert page.count("<figure>") == 5
    assert not re.findall(r"""(?:src|href)=["'](?!#)""", page)
    assert html_page(report()) == page
    for table in tables(report()):
        assert table.title in page


def test_estimates_are_never_shown_as_measurements() -> None:
    made = report().estimate
    assert made is not None
    page, text = html_page(report()), markdown(report())
    for table in tables(report()):
        if any("estimate" in name for name in table.columns):
            assert table.title.startswith(ESTIMATED)
    for shown in (page, text):
        assert made.assumptions[:40] in shown
    assert page.count('class="estimate"') == 2


def test_the_readme_section_is_replaced_and_nothing_else(tmp_path: Path) -> None:
    (tmp_path / "reports").mkdir()
    write_report(report(), tmp_path / "reports" / "a.json")
    readme = tmp_path / "README.md"
    readme.write_text(f"# Title\n\n{BEGIN}\nold\n{END}\n\nrest\n")
    update_readme(readme, report(), tmp_path / "reports" / "a.json")
    once = readme.read_text()
    assert once.startswith(f"# Title\n\n{BEGIN}\n")
    assert once.endswith(f"{END}\n\nrest\n")
    assert "old" not in once
    assert "](reports/a.json)" in once
    assert "express, 1 face, 640x480" in once
    update_readme(readme, report(), tmp_path / "reports" / "a.json")
    assert readme.read_text() == once


@pytest.mark.parametrize("text", ["none", BEGIN, END, f"{END}{BEGIN}", f"{BEGIN}{BEGIN}{END}"])
def test_a_readme_without_its_markers_is_left_alone(text: str, tmp_path: Path) -> None:
    with pytest.raises(BadInput, match=r"README\.md: needs"):
        replaced(text, "new")
    with pytest.raises(InputNotFound, match="no such file"):
        update_readme(tmp_path / "none.md", report(), tmp_path / "a.json")


def test_a_report_elsewhere_cannot_be_linked(tmp_path: Path) -> None:
    (tmp_path / "docs").mkdir()
    (tmp_path / "docs" / "README.md").write_text(f"{BEGIN}{END}")
    with pytest.raises(BadInput, match="not below the folder"):
        update_readme(tmp_path / "docs" / "README.md", report(), tmp_path / "a.json")


def test_the_repositorys_readme_shows_its_committed_report() -> None:
    text = (REPOSITORY / "README.md").read_text()
    found = re.search(
        re.escape(BEGIN) + r".*?\[report\]\(([^)]+)\).*?" + re.escape(END), text, re.S
    )
    if found is None:
        assert BEGIN not in text, "markers without a generated section: run fer-bench readme"
        pytest.skip("the README holds no generated section yet")
    made = section(read_report(REPOSITORY / found[1]), found[1])
    assert found[0] == made, "run fer-bench readme REPORT.json README.md"
