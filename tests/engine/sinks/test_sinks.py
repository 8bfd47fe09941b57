from __future__ import annotations

import csv
import json
import os
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest

from fer_edge.engine.errors import BadInput, OutputNotWritable, ReaderGone
from fer_edge.engine.head_pose import head_pose
from fer_edge.engine.sinks.annotated import Annotated
from fer_edge.engine.sinks.base import Sink
from fer_edge.engine.sinks.records import CSV, JSONLines
from fer_edge.engine.sinks.video import VideoSink
from fer_edge.engine.types import Face, Frame, FrameResult, Points, Track

PROBABILITIES = {"happy": 0.75, "sad": 0.25}


MARKS = ((10.126, 15.0), (20.0, 15.0), (16.0, 21.0), (11.0, 25.0), (19.0, 25.0))


def result(
    index: int, faces: int = 1, side: int = 64, classified: bool = True, landmarks: Points = ()
) -> FrameResult:
    image = np.full((side, side, 3), 128, np.uint8)
    found = tuple(
        Face(
            Track(
                n + 1,
                (1.25 + n, 2.0, 30.0, 40.0),
                0.9,
                "tracked" if index else "detected",
                landmarks,
            ),
            PROBABILITIES if classified else {},
        )
        for n in range(faces)
    )
    return FrameResult(Frame(image, index, index / 10), found, np.zeros((0, 4), np.float32))


def left_in(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()}


def test_jsonl_has_the_documented_form(tmp_path: Path) -> None:
    path = tmp_path / "out.jsonl"
    with JSONLines(path) as sink:
        sink.write(result(0))
        sink.write(result(1, faces=0))
        sink.write(result(2, classified=False))
        assert not path.exists()
    lines = [json.loads(line) for line in path.read_text().splitlines()]
    assert lines[0] == {
        "schema": 1,
        "frame": 0,
        "time": 0.0,
        "faces": [
            {
                "id": 1,
                "box": [1.25, 2.0, 30.0, 40.0],
                "score": 0.9,
                "origin": "detected",
                "expression": "happy",
                "probabilities": PROBABILITIES,
            }
        ],
    }
    assert lines[1] == {"schema": 1, "frame": 1, "time": 0.1, "faces": []}
    assert "expression" not in lines[2]["faces"][0]
    assert left_in(tmp_path) == {"out.jsonl"}


def test_csv_holds_the_same_with_a_row_a_face(tmp_path: Path) -> None:
    path = tmp_path / "out.csv"
    with CSV(path, ["happy", "sad"]) as sink:
        sink.write(result(0, faces=2))
        sink.write(result(1, faces=0))
        sink.write(result(2, classified=False))
    with path.open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [(row["frame"], row["id"]) for row in rows] == [("0", "1"), ("0", "2"), ("2", "1")]
    assert (rows[1]["x"], rows[1]["h"]) == ("2.25", "40.0")
    assert (rows[0]["expression"], rows[0]["happy"], rows[0]["sad"]) == ("happy", "0.75", "0.25")
    assert (rows[2]["expression"], rows[2]["happy"]) == ("", "")


def test_jsonl_gives_landmarks_and_pose_where_there_are_some(tmp_path: Path) -> None:
    path = tmp_path / "out.jsonl"
    with JSONLines(path) as sink:
        sink.write(result(0, landmarks=MARKS))
        sink.write(result(1, landmarks=((5.0, 5.0),) * 5))
        sink.write(result(2))
    first, same, without = (json.loads(line)["faces"][0] for line in path.read_text().splitlines())
    assert first["landmarks"] == [[10.13, 15.0], *map(list, MARKS[1:])]
    pose = head_pose(MARKS)
    assert pose is not None
    expected = {"roll": pose.roll, "yaw": pose.yaw, "pitch": pose.pitch}
    assert first["pose"] == pytest.approx(expected, abs=0.05)
    assert all(value == round(value, 1) for value in first["pose"].values())
    # Points that coincide tell no pose.
    assert "landmarks" in same
    assert "pose" not in same
    assert not {"landmarks", "pose"} & set(without)


def test_csv_has_a_column_a_coordinate_and_angle_empty_where_there_are_none(tmp_path: Path) -> None:
    path = tmp_path / "out.csv"
    with CSV(path, ["happy", "sad"]) as sink:
        sink.write(result(0, landmarks=MARKS))
        sink.write(result(1))
    with path.open(newline="") as file:
        first, without = csv.DictReader(file)
    assert (first["left_eye_x"], first["right_eye_y"]) == ("10.13", "15.0")
    assert (first["nose_x"], first["nose_y"]) == ("16.0", "21.0")
    assert (first["left_mouth_x"], first["right_mouth_x"]) == ("11.0", "19.0")
    angles = {"pose_roll", "pose_yaw", "pose_pitch"}
    assert float(first["pose_yaw"]) > 0
    more = {name for name in first if name.endswith(("_x", "_y"))} | angles
    assert len(more) == 13
    assert {without[name] for name in more} == {""}
    assert set(without) == set(first)


def open_sink(path: Path) -> Sink:
    if path.suffix == ".jsonl":
        return JSONLines(path)
    if path.suffix == ".csv":
        return CSV(path, ["happy", "sad"])
    return Annotated(VideoSink(path, 10.0))


@pytest.mark.parametrize("name", ["out.jsonl", "out.csv", "out.mp4", "out.avi", "out.mkv"])
def test_an_interrupted_run_leaves_nothing_under_the_final_name(name: str, tmp_path: Path) -> None:
    path = tmp_path / name
    path.write_text("from an earlier run")
    with pytest.raises(RuntimeError), open_sink(path) as sink:
        sink.write(result(0))
        raise RuntimeError("crash")
    assert path.read_text() == "from an earlier run"
    (pending,) = tmp_path.glob(f".out.partial-*{path.suffix}")
    assert pending.stat().st_size > 0


@pytest.mark.parametrize("name", ["out.jsonl", "out.csv", "out.mp4"])
def test_a_run_that_failed_before_its_first_result_leaves_nothing(name: str, tmp_path: Path):
    with pytest.raises(RuntimeError), open_sink(tmp_path / name):
        raise RuntimeError("crash")
    assert left_in(tmp_path) == set()


@pytest.mark.parametrize("name", ["out.jsonl", "out.csv", "out.mp4"])
def test_a_place_that_cannot_be_written_is_named(name: str, tmp_path: Path) -> None:
    with pytest.raises(OutputNotWritable, match=name):
        open_sink(tmp_path / "missing" / name)
    (tmp_path / name).mkdir()
    with pytest.raises(OutputNotWritable, match="folder"):
        open_sink(tmp_path / name)


@pytest.mark.parametrize("name", ["out.jsonl", "out.csv"])
def test_a_full_disk_is_one_clear_error(name: str, tmp_path: Path) -> None:
    if not os.access("/dev/full", os.W_OK):
        pytest.skip("needs /dev/full")
    path = tmp_path / name
    path.symlink_to("/dev/full")
    with pytest.raises(OutputNotWritable, match=rf"{name}.*space"), open_sink(path) as sink:
        for index in range(3):
            sink.write(result(index))
    assert path.is_symlink()


@pytest.mark.parametrize("name", ["out.jsonl", "out.csv"])
def test_a_run_that_was_stopped_before_its_first_frame_keeps_an_earlier_file(
    name: str, tmp_path: Path
) -> None:
    path = tmp_path / name
    path.write_text("from an earlier run")
    with open_sink(path):
        pass
    assert path.read_text() == "from an earlier run"
    assert left_in(tmp_path) == {name}


@pytest.mark.parametrize("name", ["out.jsonl", "out.csv"])
def test_a_reader_that_goes_ends_the_run_and_each_line_reaches_it_at_once(
    name: str, tmp_path: Path
) -> None:
    read, write = os.pipe()
    (tmp_path / name).symlink_to(f"/dev/fd/{write}")
    with pytest.raises(ReaderGone), open_sink(tmp_path / name) as sink:
        sink.write(result(0))
        assert os.read(read, 10_000).endswith(b"\n")
        os.close(read)
        sink.write(result(1))
    os.close(write)


def frames_of(path: Path) -> list[np.ndarray]:
    capture = cv2.VideoCapture(str(path))
    frames = []
    while (image := capture.read()[1]) is not None:
        frames.append(image)
    return frames


@pytest.mark.parametrize("name", ["out.mp4", "out.avi", "out.mkv"])
def test_the_saved_video_has_every_frame_with_the_face_drawn(name: str, tmp_path: Path) -> None:
    path = tmp_path / name
    with open_sink(path) as sink:
        for index in range(12):
            sink.write(result(index, side=128))
    frames = frames_of(path)
    assert len(frames) == 12
    assert frames[3].shape == (128, 128, 3)
    # The box edge is coloured, the background gray.
    assert np.ptp(frames[3][30, 1].astype(int)) > 60
    assert np.ptp(frames[3][100, 100].astype(int)) < 20


def test_slow_sources_keep_their_time_in_the_video(tmp_path: Path) -> None:
    path = tmp_path / "out.avi"
    with open_sink(path) as sink:
        for index in (0, 3, 9):
            sink.write(result(index))
    assert len(frames_of(path)) == 10


def test_pictures_of_other_sizes_fit_in_with_borders(tmp_path: Path) -> None:
    path = tmp_path / "out.avi"
    sink = VideoSink(path, 10.0)
    sink.show(np.full((64, 64, 3), 200, np.uint8), 0.0)
    sink.show(np.full((32, 128, 3), 200, np.uint8), 0.1)
    sink.finish(complete=True)
    wide = frames_of(path)[1]
    assert wide.shape == (64, 64, 3)
    assert wide[32, 32].mean() > 180
    assert wide[4, 32].mean() < 20


def test_an_unknown_kind_of_video_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match=r"\.mp4, \.avi, \.mkv"):
        VideoSink(tmp_path / "out.gif", 10.0)
    assert left_in(tmp_path) == set()


def test_an_unsure_face_has_no_expression_its_reason_and_its_probabilities(tmp_path: Path) -> None:
    (known,) = result(0).faces
    unsure = replace(result(0), faces=(replace(known, unsure="pose"),))
    with (
        JSONLines(tmp_path / "o.jsonl") as lines,
        CSV(tmp_path / "o.csv", ["happy", "sad"]) as rows,
    ):
        for sink in (lines, rows):
            sink.write(unsure)
    (face,) = json.loads((tmp_path / "o.jsonl").read_text())["faces"]
    assert (face["expression"], face["unsure"]) == (None, "pose")
    assert face["probabilities"] == PROBABILITIES
    (row,) = csv.DictReader((tmp_path / "o.csv").read_text().splitlines())
    assert (row["expression"], row["unsure"], row["happy"]) == ("", "pose", "0.75")


def test_a_live_frame_says_when_it_arrived(tmp_path: Path) -> None:
    live = result(0)
    live = replace(live, frame=replace(live.frame, utc_s=1_700_000_000.25))
    with JSONLines(tmp_path / "o.jsonl") as lines, CSV(tmp_path / "o.csv", ("happy",)) as rows:
        for one in (live, result(1)):
            lines.write(one)
            rows.write(one)
    said = [json.loads(line) for line in (tmp_path / "o.jsonl").read_text().splitlines()]
    assert said[0]["utc"] == "2023-11-14T22:13:20.250Z"
    assert "utc" not in said[1]
    with (tmp_path / "o.csv").open(newline="") as file:
        assert [row["utc"] for row in csv.DictReader(file)] == ["2023-11-14T22:13:20.250Z", ""]
