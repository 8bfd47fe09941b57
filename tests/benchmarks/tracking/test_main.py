from __future__ import annotations

import json
from pathlib import Path

import cv2
import numpy as np
import pytest

from fer_edge.benchmarks.tracking.__main__ import main
from fer_edge.benchmarks.tracking.otb import read_otb
from fer_edge.engine.errors import BadInput, InputNotFound

SHORT = ["--seconds", "0.6", "--fps", "15", "--seeds", "1", "--frames", "8", "--faces", "1,2"]


def test_a_report_has_a_table_a_file_and_a_plot(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "tracking.json"
    options = ["--trackers", "kcf,2019", "--kinds", "pan,occlusion", "--every", "3", "-o", str(out)]
    assert main([*SHORT, *options]) == 0
    report = json.loads(out.read_text())
    assert report["schema"] == 1
    assert "cores" in report["machine"]["cpu"]
    assert set(report["accuracy"]) == {"kcf", "2019"}
    assert set(report["accuracy"]["kcf"]["3"]) == {"pan", "occlusion"}
    assert report["accuracy"]["kcf"]["3"]["pan"]["mean_iou"] > 0.9
    assert {(row["tracker"], row["faces"]) for row in report["speed"]} == {
        (name, count) for name in ("kcf", "2019", "opencv plain") for count in (1, 2)
    }
    assert all(row["median_us"] > 0 for row in report["speed"])
    assert set(report["notice"]) == {"kcf"}
    plot = cv2.imread(str(out.with_suffix(".png")))
    assert plot is not None
    assert min(plot.shape[:2]) > 400
    said = capsys.readouterr().out
    assert "update time" in said
    assert "mean IoU, every 3" in said


def test_parts_can_be_measured_anew(tmp_path: Path) -> None:
    out = tmp_path / "tracking.json"
    options = [*SHORT, "--trackers", "none", "--kinds", "pan", "-o", str(out)]
    assert main([*options, "--only", "accuracy"]) == 0
    before = json.loads(out.read_text())
    assert "speed" not in before
    assert main([*options, "--only", "notice"]) == 0
    after = json.loads(out.read_text())
    assert after["accuracy"] == before["accuracy"]
    assert "notice" in after


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--trackers", "psychic"], "'psychic' is unknown"),
        (["--kinds", "juggling"], "'juggling' is unknown"),
        (["--only", "luck"], "'luck' is unknown"),
        (
            ["--only", "accuracy", "--kinds", "pan", "--photos", "/nowhere"],
            "no reference_detections",
        ),
        (["--only", "accuracy", "--kinds", "pan", "--otb", "/nowhere"], "needs img/"),
    ],
)
def test_bad_input_is_one_clear_line(
    options: list[str], words: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([*SHORT, *options]) == 2
    said = capsys.readouterr().err
    assert words in said
    assert said.count("\n") == 1


def otb(folder: Path, lines: list[str], frames: int) -> Path:
    (folder / "img").mkdir(parents=True)
    for index in range(frames):
        image = np.full((48, 64, 3), 10 * index, np.uint8)
        cv2.imwrite(str(folder / "img" / f"{index + 1:04}.jpg"), image)
    (folder / "groundtruth_rect.txt").write_text("\n".join(lines))
    return folder


@pytest.mark.parametrize("separator", [",", "\t", " ", ", "])
def test_otb_s_forms_are_read(tmp_path: Path, separator: str) -> None:
    rows = [(11, 6, 20, 30), (12, 7, 20, 30), (0, 0, 0, 0)]
    folder = otb(tmp_path / "Face", [separator.join(map(str, row)) for row in rows], 4)
    video = read_otb(folder)
    assert video.name == "Face"
    assert len(video.frames) == 3
    assert video.truth[0][1].box == (10, 5, 20, 30)
    assert [known[1].visible for known in video.truth] == [1, 1, 0]
    assert round(float(video.frames[1].mean())) == 10


def test_otb_s_mistakes_are_named(tmp_path: Path) -> None:
    with pytest.raises(InputNotFound, match="groundtruth_rect"):
        read_otb(tmp_path)
    with pytest.raises(BadInput, match="'1,2,3' is no box"):
        read_otb(otb(tmp_path / "a", ["1,2,3"], 1))
    with pytest.raises(BadInput, match="2 boxes for 1 images"):
        read_otb(otb(tmp_path / "b", ["1,2,3,4"] * 2, 1))
