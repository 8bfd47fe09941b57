"""The measuring scripts run and print what they promise; how fast is for people to see."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from fer_edge.engine.config import EXPRESSION_FILE, shipped_weights

from ..conftest import REPOSITORY
from ..models.tiny_faces import TINY, write_npz


def run(*words: object) -> list[str]:
    done = subprocess.run(
        [sys.executable, *map(str, words)], capture_output=True, text=True, check=True
    )
    return done.stdout.splitlines()


def test_latency_is_printed_for_each_model() -> None:
    model = shipped_weights(EXPRESSION_FILE)
    lines = run(REPOSITORY / "benchmarks" / "model_latency.py", model, model, "--calls", 20)
    assert len(lines) == 2
    assert "ratio 1.000 (1.000 to 1.000)" in lines[0]
    assert "median" in lines[1]


def test_throughput_is_printed_with_and_without_the_loader(tmp_path: Path) -> None:
    data = write_npz(tmp_path / "faces.npz")
    (tmp_path / "run.json").write_text(TINY.to_json())
    script = REPOSITORY / "benchmarks" / "training_throughput.py"
    lines = run(script, data, "--config", tmp_path / "run.json", "--steps", 2, "--turns", 1)
    assert [line.split("  ")[0].strip() for line in lines] == [
        "loader alone", "step alone", "both",
    ]  # fmt: skip
    assert all("images/s" in line for line in lines)
