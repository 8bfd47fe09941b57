"""Folders as `fer-run` takes them: of pictures, of videos, of both."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import cv2
import numpy as np
import pytest

from fer_edge.engine.cli import main

from .sources.films import write_film

QUICK = ["--detector", "haar", "--no-expression", "--quiet"]


def write_picture(path: Path) -> None:
    path.parent.mkdir(exist_ok=True)
    cv2.imwrite(str(path), np.full((64, 96, 3), 90, np.uint8))


def frames_in(path: Path) -> int:
    return len(path.read_text().splitlines())


def test_rows_name_their_pictures(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    photos = tmp_path / "photos"
    for name in ("1.png", "2.png", "late/3.png", ".hidden.png", "10.png"):
        write_picture(photos / name)
    (photos / "2.png").write_bytes(b"damaged")
    (photos / "talk.mp4").touch()
    (photos / "notes.txt").touch()
    outputs = ["--jsonl", str(tmp_path / "out.jsonl"), "--csv", str(tmp_path / "out.csv")]
    face = ["--detector", "none", "--no-expression", "--quiet"]
    assert main([*face, str(photos), *outputs]) == 0
    records = [json.loads(line) for line in (tmp_path / "out.jsonl").read_text().splitlines()]
    assert [(r["frame"], r["file"]) for r in records] == [(0, "1.png"), (2, "10.png")]
    with (tmp_path / "out.csv").open(newline="") as file:
        assert [row["file"] for row in csv.DictReader(file)] == ["1.png", "10.png"]
    told, damaged = capsys.readouterr().err.splitlines()
    assert "1 video, 1 hidden, 1 folder (--recursive reads them), 1 other file (.txt)" in told
    assert "2.png: not an image" in damaged

    assert main([*face, str(photos), *outputs, "--recursive"]) == 0
    records = [json.loads(line) for line in (tmp_path / "out.jsonl").read_text().splitlines()]
    assert [r["file"] for r in records] == ["1.png", "10.png", "late/3.png"]

    assert main([*face, str(photos), *outputs, "--strict"]) == 2
    assert frames_in(tmp_path / "out.jsonl") == 1


def test_names_of_pictures_that_are_no_text_are_written(tmp_path: Path) -> None:
    photos = tmp_path / "photos"
    write_picture(photos / "1.png")
    (photos / "1.png").rename(Path(str(photos), "caf\udce9.png"))
    out = tmp_path / "out.jsonl"
    assert main([*QUICK, str(photos), "--jsonl", str(out), "--csv", str(tmp_path / "o.csv")]) == 0
    assert json.loads(out.read_text(encoding="utf-8"))["file"] == "caf\udce9.png"


def test_videos_of_a_folder_have_results_of_their_own(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    clips, out = tmp_path / "clips", tmp_path / "out.jsonl"
    (clips / "monday").mkdir(parents=True)
    write_film(clips / "talk.mp4", range(3))
    write_film(clips / "talk.mkv", range(4))
    write_film(clips / "walk.mp4", range(5))
    write_film(clips / "monday" / "walk.mp4", range(6))
    (clips / "damaged.mp4").write_bytes(b"nothing")
    assert main([*QUICK, str(clips), "--jsonl", str(out)]) == 2
    names = {path.name: frames_in(path) for path in tmp_path.glob("*.jsonl")}
    assert names == {"out-talk.mp4.jsonl": 3, "out-talk.mkv.jsonl": 4, "out-walk.jsonl": 5}
    told, damaged, end = capsys.readouterr().err.splitlines()
    assert "1 folder (--recursive reads them)" in told
    assert "damaged.mp4" in damaged
    assert "1 of 4 videos could not be run to their end" in end

    (clips / "damaged.mp4").unlink()
    assert main([*QUICK, str(clips / "**" / "walk.mp4"), "--jsonl", str(out)]) == 0
    assert frames_in(tmp_path / "out-monday-walk.jsonl") == 6


def test_videos_of_a_folder_are_never_written_over(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "a.mp4").touch()
    (tmp_path / "out-a.mp4").write_text("from an earlier run")
    assert main([*QUICK, str(tmp_path), "--save", str(tmp_path / "out.mp4")]) == 2
    assert "is the input" in capsys.readouterr().err
    assert main([*QUICK, str(tmp_path), "--jsonl", "-"]) == 2
    assert "give a file's name" in capsys.readouterr().err
    assert (tmp_path / "out-a.mp4").read_text() == "from an earlier run"


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["0"], "for the camera give --camera 0"),
        (["a.mp4", "--camera", "0"], "give one of them"),
        (["demo", "--recursive"], "are for folders"),
        (["demo", "--strict"], "are for folders"),
        (["a.mp4", "--source", "b.mp4"], "several sources need --serve"),
        (["~nobody.mp4"], "no such file"),
        (["x" * 300], "no such file"),
        (["***/x"], "cannot be looked for"),
    ],
)
def test_sources_that_cannot_be_are_one_line(
    options: list[str], words: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([*QUICK, *options]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert words in line
