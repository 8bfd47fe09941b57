from __future__ import annotations

import json
import os
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fer_edge.engine.backends.plan import NO_TIME, Decision, Plan, Trial
from fer_edge.engine.plans import cache

KEY = {"model": "ab" * 32, "machine": {"cores": 2}, "options": {"backend": "auto"}}
TAKEN = Plan("openvino", "CPU", "int8", 2, "face.int8.onnx")
DECISION = Decision(
    TAKEN,
    trials=(
        Trial(Plan("openvino", "CPU", "fp32", 2), 0.0108),
        Trial(TAKEN, 0.0054),
        Trial(Plan("openvino", "CPU", "bf16", 2), problem="scores differ by 0.05"),
        Trial(Plan("onnxruntime", "CPU", "fp32", 2), problem=NO_TIME),
    ),
    measured_on="2026-11-28",
)


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("FER_EDGE_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


def test_what_is_kept_is_recalled_as_remembered(folder: Path) -> None:
    assert cache.recall(KEY) is None
    cache.keep(KEY, DECISION)
    assert cache.recall(KEY) == replace(DECISION, remembered=True)
    assert cache.recall({**KEY, "machine": {"cores": 4}}) is None
    assert [path.parent for path in folder.rglob("*.json")] == [folder / "plans"]


def test_a_decision_tells_the_times_and_why_others_are_out() -> None:
    assert DECISION.describe() == (
        "openvino, CPU, int8, 2 threads: 5.4 ms (fp32 10.8, bf16 scores differ by 0.05, "
        "1 not tried: time was up, --measure takes longer), measured 2026-11-28"
    )
    assert replace(DECISION, remembered=True).describe().endswith("2026-11-28 [cached]")
    assert Decision(TAKEN, "the only way here").describe() == (
        "openvino, CPU, int8, 2 threads (the only way here)"
    )
    assert json.loads(json.dumps(DECISION.as_json()))["trials"][1]["seconds"] == 0.0054


@given(st.binary(max_size=200), st.floats(0, 1))
def test_a_damaged_file_is_as_good_as_none(noise: bytes, at: float) -> None:
    cache.keep(KEY, DECISION)
    path = cache.path_of(KEY)
    whole = path.read_bytes()
    cut = int(at * len(whole))
    path.write_bytes(whole[:cut] + noise + whole[cut + len(noise) :])
    found = cache.recall(KEY)
    assert found is None or isinstance(found, Decision)
    path.write_bytes(noise)
    assert cache.recall(KEY) is None


@pytest.mark.parametrize(
    "change",
    [
        {"plan": {**TAKEN.as_json(), "threads": "two"}},
        {"plan": {**TAKEN.as_json(), "threads": True}},
        {"plan": {**TAKEN.as_json(), "also": 1}},
        {"plan": {**TAKEN.as_json(), "device": "GPU"}},
        {"plan": None},
        {"trials": []},
        {"trials": [{"plan": TAKEN.as_json(), "seconds": "fast", "problem": ""}]},
        {"trials": 3},
    ],
    ids=str,
)
def test_a_file_that_says_something_else_is_as_good_as_none(change: dict[str, object]) -> None:
    cache.keep(KEY, DECISION)
    path = cache.path_of(KEY)
    found = json.loads(path.read_text())
    found["decision"].update(change)
    path.write_text(json.dumps(found))
    assert cache.recall(KEY) is None
    # Deep nesting, which Python's parser gives up on.
    path.write_text("[" * 60_000)
    assert cache.recall(KEY) is None


def test_where_nothing_can_be_written_nothing_is_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("FER_EDGE_CACHE", str(tmp_path / "file"))
    with caplog.at_level("WARNING", "fer_edge"):
        for _ in range(2):
            cache.keep(KEY, DECISION)
            assert cache.recall(KEY) is None
    (said,) = caplog.messages
    assert said.startswith(f"{tmp_path / 'file' / 'plans'}: cannot be written (")
    if os.getuid():
        locked = tmp_path / "locked"
        locked.mkdir(mode=0o500)
        monkeypatch.setenv("FER_EDGE_CACHE", str(locked))
        cache.keep(KEY, DECISION)
        assert cache.recall(KEY) is None


def test_many_may_write_and_read_at_once(folder: Path) -> None:
    cache.keep(KEY, DECISION)

    def work(n: int) -> bool:
        cache.keep(KEY, replace(DECISION, reason="x" * n))
        return cache.recall(KEY) is not None

    with ThreadPoolExecutor(8) as pool:
        assert all(pool.map(work, range(200)))
    assert len(list(folder.rglob("*"))) == 2
