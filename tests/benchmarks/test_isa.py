"""The cap of the instruction set: what is in use, and that it holds where it is measured."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from fer_edge.benchmarks.isa import CAPS, VARIABLE, check_isa, instruction_set, processor_flags
from fer_edge.engine.errors import BadInput

LAPTOP = frozenset({"avx2", "avx_vnni"})
SERVER = frozenset({"avx2", "avx512f", "avx512_vnni", "avx512_bf16", "amx_int8", "amx_bf16"})


def test_the_best_of_a_processor_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(VARIABLE, raising=False)
    assert instruction_set(LAPTOP) == "avx2-vnni"
    assert instruction_set(SERVER) == "amx"
    assert instruction_set(frozenset({"sse2"})) == ""


def test_a_cap_is_named_where_it_takes_something_away(monkeypatch: pytest.MonkeyPatch) -> None:
    for isa, value in CAPS.items():
        monkeypatch.setenv(VARIABLE, value)
        assert instruction_set(SERVER) == f"{isa}, capped from amx"
    assert instruction_set(frozenset({"avx2"})) == "avx2"


def test_a_cap_adds_nothing() -> None:
    check_isa("vnni", SERVER)
    with pytest.raises(BadInput, match="no avx512_vnni"):
        check_isa("vnni", LAPTOP)


def test_a_run_has_the_cap_from_its_start(tmp_path: Path) -> None:
    if "avx2" not in processor_flags():
        pytest.skip("this processor has no AVX2")
    words = ["detect", "--detector", "lite", "--isa", "avx2", "--frames", "10", "--quiet"]
    words += ["--size", "160x120", "--json", str(tmp_path / "a.json")]
    environment = {name: value for name, value in os.environ.items() if name != VARIABLE}
    done = subprocess.run(
        [sys.executable, "-m", "fer_edge.benchmarks.cli", *words],
        capture_output=True, text=True, check=False, env=environment,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    report = json.loads((tmp_path / "a.json").read_text())
    assert report["command"] == ["fer-bench", *words]
    assert report["isa"].startswith("avx2")
    assert report["cases"][0]["case"]["detector_plan"].endswith(report["isa"])
