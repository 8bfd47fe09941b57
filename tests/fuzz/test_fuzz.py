"""A minute of damaged files. More: `python -m tests.fuzz.run films --count 20000`."""

from __future__ import annotations

from pathlib import Path

import pytest

from .run import main
from .targets import FAULTY, TARGETS

COUNTS = {"films": 400, "pictures": 400, "keras": 60}


@pytest.mark.parametrize("target", sorted(TARGETS))
def test_damaged_files_are_told_in_one_line(
    target: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    count = COUNTS.get(target, 200)
    status = main([target, "--count", str(count), "--keep", str(tmp_path / "found")])
    assert status == 0, capsys.readouterr().out


@pytest.mark.parametrize("target", sorted(TARGETS))
def test_sound_files_are_read(target: str, tmp_path: Path) -> None:
    TARGETS[target].seeds(tmp_path)
    files = list(tmp_path.iterdir())
    assert files
    for path in files:
        TARGETS[target].read(path)


@pytest.mark.parametrize(
    ("target", "said"), [("raises", "ZeroDivisionError: of case.toml"), ("dies", "dies of SIGSEGV")]
)
def test_faults_are_found_and_their_files_kept(
    target: str, said: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert sorted(FAULTY) == ["dies", "raises"]
    assert main([target, "--count", "2", "--keep", str(tmp_path / "found")]) == 1
    lines = capsys.readouterr().out.splitlines()
    assert lines == [f"{target} 0: {said}", f"{target} 1: {said}", f"{target}: 2 files, 2 faults"]
    kept = {path.name for path in (tmp_path / "found").iterdir()}
    assert kept == {f"{target}-0-0.toml", f"{target}-0-1.toml"}
