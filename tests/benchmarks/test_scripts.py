"""The measuring scripts run and print what they promise; how fast is for people to see."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest

from fer_edge.convert.cli import main as convert
from fer_edge.engine.config import EXPRESSION_FILE, shipped_weights
from fer_edge.models.keras_backend import import_keras

from ..conftest import REPOSITORY
from ..convert.keras_models import small
from ..convert.ssd_graph import Recipe, write_ssd
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


def test_frame_times_of_a_live_source_are_printed_for_both_ways() -> None:
    lines = run(REPOSITORY / "benchmarks" / "live.py", "--seconds", 2)
    assert [line.split(":")[0] for line in lines] == ["beside the loop", "inside the loop"]
    for line in lines:
        frames, meeting = re.findall(r" (\d+) frames.* (\d+) with a detection", line)[0]
        assert int(frames) == 30
        assert (int(meeting) > 0) or line.startswith("beside")
        assert re.search(r"p99 [\d.]+ ms \([\d.]+ times\)", line)


def test_throughput_is_printed_with_and_without_the_loader(tmp_path: Path) -> None:
    data = write_npz(tmp_path / "faces.npz")
    (tmp_path / "run.json").write_text(TINY.to_json())
    script = REPOSITORY / "benchmarks" / "training_throughput.py"
    lines = run(script, data, "--config", tmp_path / "run.json", "--steps", 2, "--turns", 1)
    assert [line.split("  ")[0].strip() for line in lines] == [
        "loader alone", "step alone", "both",
    ]  # fmt: skip
    assert all("images/s" in line for line in lines)


def test_the_cost_of_precision_is_printed_for_each(tmp_path: Path) -> None:
    write_ssd(tmp_path / "graph.pb", Recipe())
    small(import_keras(), (48, 48, 1)).save(tmp_path / "e.keras")
    rng = np.random.default_rng(0)
    np.savez(
        tmp_path / "faces.npz", pixels=rng.integers(0, 256, (300, 48, 48), np.uint8),
        emotion=rng.integers(0, 7, 300), usage=np.repeat([0, 1], [260, 40]),
    )  # fmt: skip
    (tmp_path / "photos").mkdir()
    shutil.copy(REPOSITORY / "engine/sources/astronaut.jpg", tmp_path / "photos")
    names = [tmp_path / name for name in ("graph.pb", "e.keras", "faces.npz", "photos")]
    kept = tmp_path / "kept"
    kept.mkdir()
    for source in names[:2]:
        for precision in ("fp32", "fp16"):
            output, report = (
                kept / f"{source.stem}-{precision}{end}" for end in (".onnx", ".json")
            )
            named = ["--order=fer2013"] if source.suffix == ".keras" else []
            made = [*named, "-o", output, "--json", report, "--precision", precision, "--quiet"]
            assert convert(list(map(str, [source, *made]))) == 0
    words = [REPOSITORY / "benchmarks" / "conversion_accuracy.py", *names]
    last = ["--precisions", "fp32,fp16", "--keep", kept]
    lines = run(*words, *last)
    text = "\n".join(lines)
    assert re.search(r"^  fp32  \d+ of \d+ detections .* matched, IoU", text, re.M)
    assert "expression  on 40 faces of PublicTest" in lines
    assert re.search(r"^  fp16  accuracy [\d.]+% \([+-]\d.\d\d points\), top-1", text, re.M)
    if find_spec("tensorrt_rtx") is None:
        pytest.skip("TensorRT-RTX is not installed; the rest was checked")
    builds = run(*words[:3], "--builds", *last)
    assert builds[0].startswith("TensorRT-RTX ")
    assert all(
        re.search(r"fp(32|16).*12\.0: \d+\.\d\d s \d+\.\d MB$", line) for line in builds[1:3]
    )
