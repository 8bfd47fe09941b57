"""gpu_check.py where there is no GPU, and on a driver that runs the kernels on the CPU."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from fer_edge.engine.cuda.compile import SOURCES
from fer_edge.engine.cuda.gpu import present_gpu

from ..conftest import REPOSITORY
from ..engine.cuda.cpu_driver import build_driver
from ..engine.cuda.cpu_gpu import compiler

SCRIPT = REPOSITORY / "benchmarks" / "gpu_check.py"
NAMES = [
    "kernels", "ceilings", "tracking", "kernel_times", "uploads", "engines", "parity", "sizes",
    "provider", "stages", "pipeline", "sanitizer",
]  # fmt: skip


def gpu_check(
    folder: Path, *words: object, driver: Path | None = None, **environment: str
) -> tuple[int, dict[str, Any], str]:
    """(exit status, report, output)."""
    path = folder / "report.json"
    where = {"LD_LIBRARY_PATH": str(driver)} if driver else {}
    done = subprocess.run(
        [sys.executable, str(SCRIPT), "--json", str(path), *map(str, words)],
        env={**os.environ, **where, **environment}, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert not done.stderr, done.stderr
    return done.returncode, json.loads(path.read_text()), done.stdout


@pytest.fixture(scope="module")
def driver(tmp_path_factory: pytest.TempPathFactory) -> Path:
    if compiler() is None:
        pytest.skip("there is no g++")
    return build_driver(tmp_path_factory.mktemp("driver"))


def test_without_a_gpu_it_says_that_nothing_was_checked(tmp_path: Path) -> None:
    if present_gpu() is not None:
        pytest.skip("this machine has a GPU")
    (tmp_path / "wheels").mkdir()
    (tmp_path / "wheels" / "broken-1.0-py3-none-any.whl").write_bytes(b"no wheel")
    status, report, said = gpu_check(tmp_path, "--wheels", tmp_path / "wheels")
    assert status == 3
    assert said.splitlines()[0] == "no NVIDIA GPU or driver here"
    assert said.splitlines()[-1] == "nothing was checked"
    assert report["schema"] == 1
    assert report["machine"]["gpu"] is None
    assert report["machine"]["cores"] >= 1
    assert report["wheels"]["broken-1.0-py3-none-any.whl"] != "installed"
    assert [row["name"] for row in report["checks"]] == NAMES
    for row in report["checks"]:
        assert row["status"] == "skipped"
        assert row["reason"]
    assert report["checked"] == 0
    assert report["ratios"] == {}


def test_kernels_are_checked_through_the_driver(tmp_path: Path, driver: Path) -> None:
    words = ["--only", "kernels,tracking,stages", "--short"]
    status, report, said = gpu_check(tmp_path, *words, driver=driver)
    assert status == 0, report
    assert said.startswith("Stand-in, SM 8.6, driver ")
    kernels, tracking, stages = report["checks"]
    assert kernels["status"] == "passed"
    assert kernels["facts"]["launches"] > 30
    assert 0 < kernels["facts"]["largest errors"]["frames fp32"] < 1e-5
    assert tracking["status"] == "passed"
    assert 0 < tracking["facts"]["largest errors"]["steps"] < 1e-3
    # Nothing was built, and that is no failure.
    assert stages["status"] == "skipped"
    assert report["checked"] == 2


def test_a_wrong_kernel_and_a_crash_are_failures_of_one_check(tmp_path: Path, driver: Path) -> None:
    text = SOURCES["kernels"].read_text()
    wrong = text.replace("(level - mean) * scale", "(level - mean) * scale * 0.9f")
    assert wrong != text
    folder = tmp_path / "wrong"
    folder.mkdir()
    words = ["--only", "kernels,provider", "--short"]
    status, report, said = gpu_check(tmp_path, *words, driver=build_driver(folder, wrong))
    assert status == 1
    assert [row["status"] for row in report["checks"]] == ["failed", "skipped"]
    assert report["checks"][0]["reason"].startswith("AssertionError: faces fp32: off by")
    assert said.splitlines()[-1] == "failed: kernels"

    status, report, _ = gpu_check(tmp_path, *words, driver=driver, STAND_IN_ABORTS="1")
    assert status == 1
    assert [row["status"] for row in report["checks"]] == ["failed", "skipped"]
    assert "ended with -6 before it was done" in report["checks"][0]["reason"]


def test_what_there_is_no_time_for_is_left_out(tmp_path: Path) -> None:
    status, report, _ = gpu_check(tmp_path, "--limit", 0)
    assert status == 3
    assert {row["reason"] for row in report["checks"]} == {"no time was left"}


@pytest.mark.parametrize(
    ("words", "message"),
    [(["--only", "kernel"], "no check kernel; there are kernels"), (["--wheels", "no"], "no such")],
)
def test_arguments_of_no_use_are_told(words: list[str], message: str) -> None:
    done = subprocess.run(
        [sys.executable, str(SCRIPT), *words], capture_output=True, text=True, check=False
    )
    assert done.returncode == 2
    assert message in done.stderr.splitlines()[-1]


def test_rates_are_set_against_what_the_gpu_reaches(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(SCRIPT.parent)
    from gpu_check import ratios

    kernels = {"kernels": {"frame": {"bytes_per_s": 1e12}}}
    ceilings = {"copy_bytes_per_s": 4e12, "fp16_flop_per_s": 8e14}
    found = ratios(
        {"ceilings": ceilings, "kernel_times": kernels, "stages": {"detector_flop_per_s": 2e13}}
    )
    assert found == {"bytes of frame": 0.25, "operations of the detector": 0.025}
    assert ratios({"ceilings": {}, "kernel_times": kernels}) == {}
