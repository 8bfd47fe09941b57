"""`fer-bench accuracy` as a user meets it."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from fer_edge.benchmarks.cli import main
from fer_edge.engine.sources.demo import FACE_BOX, PHOTOGRAPH


@pytest.fixture
def faces(tmp_path: Path) -> Path:
    """The demo's photograph with its face, and a picture that is none."""
    shutil.copy(PHOTOGRAPH, tmp_path / "portrait.jpg")
    (tmp_path / "damaged.jpg").write_text("no picture")
    named = {"portrait.jpg": [{"box_xywh": list(FACE_BOX)}], "damaged.jpg": []}
    (tmp_path / "faces.json").write_text(json.dumps(named))
    return tmp_path


def test_two_detectors_are_compared_on_a_real_face(
    faces: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    files = ["--json", str(faces / "out.json"), "--plot", str(faces / "out.png")]
    words = ["accuracy", "ssd", "haar", "--faces", str(faces), *files, "--distort", "gamma3"]
    assert main(words) == 0
    shown, errors = capsys.readouterr()
    assert errors == ""
    lines = shown.splitlines()
    assert "1 face in 1 picture of" in lines[0]
    (note,) = (line for line in lines if line.startswith("note:"))
    assert "1 picture cannot be read, left out: " in note
    assert "damaged.jpg" in note
    report = json.loads((faces / "out.json").read_text())
    assert (report["schema"], report["pictures"], report["faces"]) == (1, 1, 1)
    ssd, haar = report["models"]
    assert (ssd["model"], haar["model"]) == ("ssd", "haar")
    assert [one["size"] for one in ssd["sizes"]] == [
        "all", "< 32 px", ">= 32 px", "32 to 96 px", ">= 96 px",
    ]  # fmt: skip
    every, small = ssd["sizes"][:2]
    assert every["average_precision"]["value"] == 1.0
    assert (every["recall"], every["faces"]) == (1.0, 1)
    assert (small["average_precision"], small["faces"]) == (None, 0)
    assert every["over_first"] is None
    assert haar["sizes"][0]["over_first"] is not None
    assert len(every["scores"]) == len(every["precisions"]) == len(every["recalls"])
    assert [one["distortion"] for one in ssd["robustness"]] == ["plain", "gamma3"]
    assert [one["faces"] for one in ssd["robustness"]] == [1, 2]
    assert ssd["sha256"]
    assert ssd["plan"].startswith("openvino, CPU, ")
    assert ssd["median_s"] > 0
    assert (faces / "out.png").read_bytes().startswith(b"\x89PNG")


@pytest.mark.parametrize(
    ("words", "reason"),
    [
        (["ssd", "ssd"], "named twice"),
        (["nothing.onnx"], "no such model file"),
        (["ssd", "--distort", "sideways"], "--distort sideways"),
        (["ssd", "--images", "nowhere"], "--images"),
    ],
)
def test_mistakes_are_one_line(
    words: list[str], reason: str, faces: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["accuracy", *words, "--faces", str(faces)]) == 2
    shown, errors = capsys.readouterr()
    assert shown == ""
    assert len(errors.splitlines()) == 1
    assert reason in errors


def test_figures_of_the_published_detector(shared: Path, tmp_path: Path) -> None:
    """On the pictures with the most large faces; all 213 take a minute."""
    root = shared / "data" / "faces_labelled"
    if not root.is_dir():
        pytest.skip("no labelled faces in the shared material")
    raw = json.loads((root / "faces.json").read_text())
    wanted = sorted(raw, key=lambda name: -sum(f["box_xywh"][2] >= 96 for f in raw[name]))[:12]
    (tmp_path / "labels.json").write_text(json.dumps({name: raw[name] for name in wanted}))
    words = ["--faces", str(tmp_path / "labels.json"), "--images", str(root)]
    assert main(["accuracy", "ssd", *words, "--quiet", "--json", str(tmp_path / "r.json")]) == 0
    sizes = json.loads((tmp_path / "r.json").read_text())["models"][0]["sizes"]
    large = next(one for one in sizes if one["size"] == ">= 96 px")
    assert large["average_precision"]["value"] > 0.8
