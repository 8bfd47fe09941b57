"""`fer-run` as a user meets it: its exit status, its files, its one-line errors."""

from __future__ import annotations

import csv
import json
import os
import pty
import signal
import subprocess
import sys
from pathlib import Path
from time import monotonic, sleep

import av
import cv2
import numpy as np
import pytest

from fer_edge.engine.backends import BACKENDS
from fer_edge.engine.cli import main
from fer_edge.engine.sources.demo import demo_face_box

from ..conftest import REPOSITORY
from .sources.films import write_film
from .tiny_models import write_detector, write_expression

COMMAND = [sys.executable, "-m", "fer_edge.engine.cli"]


@pytest.fixture
def models(tmp_path: Path) -> list[str]:
    """Options that put small quick models in place of the shipped ones."""
    folder = tmp_path / "models"
    folder.mkdir()
    detector = write_detector(folder / "detector.onnx")
    expression = write_expression(folder / "expression.onnx")
    return ["--detector", str(detector), "--expression", str(expression)]


def test_a_run_writes_every_output_and_a_summary(
    models: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    outputs = {kind: tmp_path / f"out.{kind}" for kind in ("mp4", "jsonl", "csv")}
    status = main(
        [
            *models, "--source", "demo", "--max-frames", "24", "--detect-every", "8",
            "--save", str(outputs["mp4"]), "--jsonl", str(outputs["jsonl"]),
            "--csv", str(outputs["csv"]),
        ]
    )  # fmt: skip
    assert status == 0
    lines = [json.loads(line) for line in outputs["jsonl"].read_text().splitlines()]
    assert [line["frame"] for line in lines] == list(range(24))
    assert [line["time"] for line in lines] == pytest.approx([n / 30 for n in range(24)], abs=1e-5)
    faces = [line["faces"][0] for line in lines if line["faces"]]
    assert [face["origin"] for face in faces[:9]] == ["detected"] + ["tracked"] * 7 + ["detected"]
    assert all(sum(face["probabilities"].values()) == pytest.approx(1, abs=1e-3) for face in faces)
    with outputs["csv"].open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [int(row["frame"]) for row in rows] == [
        n for n, line in enumerate(lines) if line["faces"]
    ]
    assert [float(rows[0][key]) for key in "xywh"] == faces[0]["box"]
    capture = cv2.VideoCapture(str(outputs["mp4"]))
    assert capture.get(cv2.CAP_PROP_FRAME_COUNT) == 24
    said = capsys.readouterr()
    assert said.out == ""
    assert "24 processed, 0 dropped, 24 captured" in said.err
    assert "p99" in said.err
    assert {path.name for path in tmp_path.iterdir()} == {
        "models",
        "out.mp4",
        "out.jsonl",
        "out.csv",
    }


def test_a_film_is_saved_with_its_times_and_its_sound_unless_told_otherwise(
    models: list[str], tmp_path: Path
) -> None:
    times_s = [0, 0.1, 0.15, 0.5, 0.7]
    film = write_film(tmp_path / "film.mkv", times_s, size=(128, 96), clock=1000, sound_s=1.0)
    kinds = {}
    for option in ((), ("--no-audio",)):
        out, lines = tmp_path / "out.mp4", tmp_path / "out.jsonl"
        options = ["--source", str(film), "--save", str(out), "--jsonl", str(lines), "--quiet"]
        assert main([*models, *options, *option]) == 0
        with av.open(str(out)) as container:
            kinds[option] = [stream.type for stream in container.streams]
            saved_s = [frame.time for frame in container.decode(video=0)]
        written_s = [json.loads(line)["time"] for line in lines.read_text().splitlines()]
        assert saved_s == pytest.approx(times_s, abs=1e-3)
        assert written_s == pytest.approx(times_s, abs=1e-3)
    assert list(kinds.values()) == [["video", "audio"], ["video"]]


def test_a_picture_of_a_face_alone_is_the_face(tmp_path: Path) -> None:
    cv2.imwrite(str(tmp_path / "face.png"), np.full((48, 40, 3), 90, np.uint8))
    expression = write_expression(tmp_path / "expression.onnx")
    status = main(
        [
            "--detector", "none", "--expression", str(expression), "--quiet",
            "--source", str(tmp_path / "face.png"), "--jsonl", str(tmp_path / "out.jsonl"),
        ]
    )  # fmt: skip
    assert status == 0
    (line,) = (tmp_path / "out.jsonl").read_text().splitlines()
    (face,) = json.loads(line)["faces"]
    assert face["box"] == [0, 0, 40, 48]
    assert face["score"] == 1
    assert face["expression"]


def test_quiet_says_nothing(models: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert main([*models, "--max-frames", "2", "--quiet"]) == 0
    assert capsys.readouterr() == ("", "")


def test_no_expression_leaves_the_keys_out(models: list[str], tmp_path: Path) -> None:
    out = tmp_path / "out.jsonl"
    assert main([*models, "--no-expression", "--max-frames", "2", "--jsonl", str(out)]) == 0
    face = json.loads(out.read_text().splitlines()[0])["faces"][0]
    assert set(face) == {"id", "box", "score", "origin"}


def test_raw_probabilities_are_written_on_request(models: list[str], tmp_path: Path) -> None:
    out = tmp_path / "out.jsonl"
    assert main([*models, "--max-frames", "3", "--raw", "--jsonl", str(out), "--smooth", "9"]) == 0
    faces = [json.loads(line)["faces"][0] for line in out.read_text().splitlines()]
    assert all(set(face["raw"]) == set(face["probabilities"]) for face in faces)
    assert faces[0]["raw"] == faces[0]["probabilities"]


def test_detection_beside_the_loop_loses_no_frame(models: list[str], tmp_path: Path) -> None:
    out = tmp_path / "out.jsonl"
    options = ["--async", "--detect-every", "auto", "--max-frames", "40", "--jsonl", str(out)]
    assert main([*models, *options]) == 0
    lines = [json.loads(line) for line in out.read_text().splitlines()]
    assert [line["frame"] for line in lines] == list(range(40))
    assert {face["origin"] for line in lines for face in line["faces"]} <= {"tracked"}


def test_the_landmarks_of_the_demo_are_on_its_face(tmp_path: Path) -> None:
    """By the shipped network, detected and followed, in a file and in a picture."""
    model = REPOSITORY / "models" / "centerface.onnx"
    options = ["--detector", str(model), "--no-expression", "--max-frames", "6", "--quiet"]
    plain, dotted, out = (tmp_path / name for name in ("plain.avi", "dotted.avi", "out.jsonl"))
    assert main([*options, "--save", str(plain)]) == 0
    assert main([*options, "--save", str(dotted), "--landmarks", "--jsonl", str(out)]) == 0
    for index, line in enumerate(out.read_text().splitlines()):
        (face,) = json.loads(line)["faces"]
        x, y, w, h = demo_face_box(index)
        # Where they are in FACE_BOX, marked by hand.
        shares = [(0.27, 0.29), (0.78, 0.3), (0.53, 0.53), (0.29, 0.67), (0.74, 0.68)]
        truth = [(x + across * w, y + down * h) for across, down in shares]
        off = np.linalg.norm(np.subtract(face["landmarks"], truth), axis=1)
        assert off.max() < 0.1 * h
        assert all(abs(angle) < 15 for angle in face["pose"].values())
    pictures = [cv2.VideoCapture(str(path)).read()[1] for path in (plain, dotted)]
    assert np.abs(np.subtract(*pictures, dtype=int)).max() > 50


def test_blur_hides_faces_in_the_saved_video(models: list[str], tmp_path: Path) -> None:
    cv2.imwrite(
        str(tmp_path / "noise.png"), np.random.default_rng(0).integers(0, 256, (128, 128, 3))
    )
    sharpness = {}
    for flags in ((), ("--blur",)):
        out = tmp_path / "out.avi"
        options = ["--source", str(tmp_path / "noise.png"), "--save", str(out), "--no-expression"]
        assert main([*models, *options, *flags, "--quiet"]) == 0
        image = cv2.VideoCapture(str(out)).read()[1]
        assert image is not None
        sharpness[flags] = cv2.Laplacian(image[20:60, 20:60], cv2.CV_32F).std()
    assert sharpness[("--blur",)] < sharpness[()] / 2


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_signal_ends_the_run_with_its_files_complete(
    number: signal.Signals, models: list[str], tmp_path: Path
) -> None:
    jsonl, video = tmp_path / "out.jsonl", tmp_path / "out.mp4"
    process = subprocess.Popen(
        [
            *("env", "--default-signal=INT,TERM,HUP"), *COMMAND, *models,
            "--realtime", "--jsonl", str(jsonl), "--save", str(video),
        ],
        stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    end = monotonic() + 60
    while not any(p.stat().st_size for p in tmp_path.glob(".out.partial-*.mp4")):
        assert monotonic() < end
        sleep(0.05)
    sleep(0.5)
    process.send_signal(number)
    _, said = process.communicate(timeout=30)
    assert process.returncode == 0, said
    lines = [json.loads(line) for line in jsonl.read_text().splitlines()]
    assert len(lines) > 0
    assert f"{len(lines)} processed" in said
    assert cv2.VideoCapture(str(video)).read()[0]
    assert not list(tmp_path.glob(".*"))


def test_a_terminal_shows_progress(models: list[str]) -> None:
    master, slave = pty.openpty()
    process = subprocess.Popen(
        [*COMMAND, *models, "--max-frames", "200"],
        stderr=slave,
        env={**os.environ, "TERM": "xterm", "COLUMNS": "100"},
    )
    os.close(slave)
    shown = b""
    try:
        while chunk := os.read(master, 4096):
            shown += chunk
    except OSError:  # Linux says so when the other side is closed
        pass
    os.close(master)
    assert process.wait(timeout=60) == 0
    assert b"frames" in shown
    assert b"fps" in shown
    assert b"200 processed" in shown


def test_list_backends_names_every_backend(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--list-backends"]) == 0
    said = capsys.readouterr().out.splitlines()
    for line, (name, entry) in zip(said, BACKENDS.items(), strict=False):
        assert line.startswith(name)
        version = entry.installed_version()
        assert (f"installed, {version}" if version else f"missing: {entry.install}") in line
    if BACKENDS["openvino"].installed_version():
        assert any("openvino finds CPU" in line and "fp32" in line for line in said)
    assert said[-2:] == [
        "detector     chosen when it first runs",
        "expression   chosen when it first runs",
    ]


def noise(path: Path) -> str:
    path.write_bytes(np.random.default_rng(0).bytes(3000))
    return str(path)


def unconverted(path: Path) -> str:
    write_detector(path)
    data = path.read_bytes().replace(b"fer_edge", b"not_ours")
    path.write_bytes(data)
    return str(path)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (lambda d: ["--source", f"{d}/missing.mp4"], "missing.mp4: no such"),
        (lambda d: ["--source", noise(d / "noise.mp4")], "noise.mp4: not a video"),
        (lambda d: ["--source", noise(d / "noise.jpg")], "noise.jpg: not an image"),
        (lambda d: ["--source", str(d / "empty")], "no images"),
        (lambda d: ["--camera", "97"], "camera 97: not found"),
        (lambda d: ["--detector", f"{d}/missing.onnx"], "missing.onnx: no such model"),
        (lambda d: ["--detector", noise(d / "noise.onnx")], "noise.onnx: not an ONNX file"),
        (lambda d: ["--detector", "yunet"], "no detector 'yunet'; there are default, lite, ssd"),
        (lambda d: ["--detector", f"{d}/empty"], "empty: is a folder"),
        (lambda d: ["--detector", "none", "--min-face", "9"], "--min-face changes nothing"),
        (lambda d: ["--detector", "haar", "--detect-size", "320x256"], "--detect-size changes"),
        (lambda d: ["--detect-size", ""], "give it as 320x256"),
        (
            lambda d: ["--landmarks", "--blur", "--save", str(d / "o.mp4")],
            "--landmarks draws nothing on blurred faces",
        ),
        (lambda d: ["--raw", "--csv", str(d / "o.csv")], "--raw is for --jsonl"),
        (lambda d: ["--blur", "--jsonl", str(d / "o")], "--blur is for --save, --show or --serve"),
        (lambda d: ["--landmarks"], "--landmarks is for --save, --show or --serve"),
        (lambda d: ["--token", "x" * 20], "--token is for --serve"),
        (lambda d: ["--rules", "driver"], "--rules is for --serve"),
        (lambda d: ["--media", str(d)], "--media is for --serve"),
        (lambda d: ["--keep", "7d"], "--keep is for --serve"),
        (lambda d: ["--keep-size", "7MB"], "--keep-size is for --serve"),
        (lambda d: ["--threads", "9999"], "--threads 9999: there are"),
        (lambda d: ["--detector", unconverted(d / "plain.onnx")], "without fer-edge facts"),
        (
            lambda d: ["--detector", str(write_expression(d / "e.onnx"))],
            "e.onnx: an expression model, no detector",
        ),
        (lambda d: ["--jsonl", f"{d}/no/where.jsonl"], "where.jsonl: cannot be written"),
        (lambda d: ["--csv", f"{d}/no/where.csv"], "where.csv: cannot be written"),
        (lambda d: ["--save", f"{d}/no/where.mp4"], "where.mp4: cannot be written"),
        (lambda d: ["--save", f"{d}/x.gif"], "x.gif: unknown kind of video"),
        (lambda d: ["--no-audio"], "--no-audio and --encoder are for --save"),
        (lambda d: ["--save", f"{d}/x.mp4", "--encoder", "x265"], "no encoder 'x265'; there are"),
        (lambda d: ["--timeout", "0"], "timeout 0: give more than 0 seconds"),
        (lambda d: ["--csv", f"{d}/same", "--jsonl", f"{d}/same"], "one file for two outputs"),
        (lambda d: ["--backend", "abacus"], "abacus"),
        (lambda d: ["--tracker", "psychic"], "psychic"),
        (lambda d: ["--min-score", "7"], "outside 0-1"),
        (lambda d: ["--detect-every", "0"], "1 or more"),
        (lambda d: ["--classify-every", "0"], "classification every 0 frames: give 1 or more"),
        (lambda d: ["--detect-every", "often"], "a number of frames, or auto"),
        (lambda d: ["--smooth", "-1"], "0 or more seconds"),
        (lambda d: ["--max-age", "nan"], "0 or more seconds"),
        (lambda d: ["--max-frames", "0"], "1 or more"),
    ],
)
def test_bad_input_is_one_clear_line(
    options, words: str, models: list[str], tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    work = tmp_path / "work"
    (work / "empty").mkdir(parents=True)
    assert main([*models, "--max-frames", "3", *options(work)]) == 2
    said = capfd.readouterr()
    assert said.out == ""
    assert said.err.startswith("fer-run: error: ")
    assert words in said.err
    assert said.err.count("\n") == 1
    assert not list(work.glob("*partial*"))


@pytest.mark.parametrize("option", ["--save", "--jsonl", "--csv", "--trace"])
@pytest.mark.parametrize("source", ["talk.mp4", "file://{}/talk.mp4", "pictures", "pictures/*.png"])
def test_no_output_is_written_over_what_is_read(
    option: str, source: str, models: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "pictures").mkdir()
    recorded = tmp_path / ("pictures/1.png" if "pictures" in source else "talk.mp4")
    recorded.write_bytes(b"cannot be recorded again")
    uri = source.format(tmp_path) if "{}" in source else str(tmp_path / source)
    link = tmp_path / "link.mp4"
    link.hardlink_to(recorded)
    assert main([*models, "--source", uri, option, str(link)]) == 2
    assert "is the input" in capsys.readouterr().err
    assert recorded.read_bytes() == b"cannot be recorded again"
    assert main([*models, option, models[1]]) == 2
    assert "is the input" in capsys.readouterr().err
