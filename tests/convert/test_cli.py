"""`fer-convert` as a user meets it: its one-line errors, and what it leaves behind."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from fer_edge.convert.cli import build_parser, main

from ..engine.tiny_models import write_detector
from .keras_models import small
from .ssd_graph import Builder, Recipe


def noise(path: Path) -> str:
    path.write_bytes(b"\x0a" + np.random.default_rng(0).bytes(3000))
    return str(path)


def truncated_graph(path: Path) -> str:
    data = Builder(Recipe()).build().SerializeToString()
    path.write_bytes(data[: len(data) // 2])
    return str(path)


def keras_model(path: Path) -> str:
    import keras

    small(keras).save(path)
    return str(path)


def text(path: Path) -> str:
    path.write_text("hello\n" * 100)
    return str(path)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (lambda d: [f"{d}/missing.pb"], "missing.pb: no such file"),
        (lambda d: [str(d)], "is a folder"),
        (lambda d: [noise(d / "noise.pb")], "noise.pb: not a frozen"),
        (lambda d: [truncated_graph(d / "cut.pb")], "cut.pb: not a frozen"),
        (lambda d: [text(d / "model.pb")], "model.pb: neither"),
        (lambda d: [text(d / "model.h5")], "model.h5: neither"),
        (
            lambda d: [str(write_detector(d / "done.onnx")), "-o", f"{d}/o.onnx"],
            "is an ONNX file already",
        ),
        (
            lambda d: [keras_model(d / "m.keras"), "-o", f"{d}/no/o.onnx"],
            "o.onnx: cannot be written",
        ),
        (lambda d: [keras_model(d / "m.keras"), "-o", f"{d}/m.keras"], "is the input"),
        (lambda d: [keras_model(d / "m.keras"), "--precision", "int3"], "fp32 or fp16 or int8"),
        (lambda d: [keras_model(d / "m.keras"), "--labels", "a,b"], "2 labels for 7 classes"),
        (lambda d: [keras_model(d / "m.keras"), "--labels", f"{d}/no.txt"], "no.txt: no such"),
        (lambda d: [keras_model(d / "m.keras"), "--input-range", "1"], "--input-range=-1,1"),
        (lambda d: [keras_model(d / "m.keras"), "--input-range", "1,1"], "input range 1,1 is none"),
        (lambda d: [keras_model(d / "m.keras"), "--top-k", "0"], "top-k 0"),
        (lambda d: [keras_model(d / "m.keras"), "--iou", "0.4"], "--iou changes nothing"),
        (
            lambda d: [str(write_detector(d / "done.onnx")), "--target", "tensorrt", "--score=0.4"],
            "is a file that was converted already, for which --score",
        ),
        (lambda d: [keras_model(d / "m.keras"), "--crop-scale", "9"], "crop scale 9"),
        (lambda d: [keras_model(d / "m.keras")], "--order alphabetical (angry"),
        (
            lambda d: [keras_model(d / "m.keras"), "--order=fer2013", "--labels=a,b,c,d,e,f,g"],
            "--labels says what --order says",
        ),
        (lambda d: [keras_model(d / "m.keras"), "--mean", "grey"], "--mean grey: give a number"),
        (lambda d: [keras_model(d / "m.keras"), "--mean", "1,2"], "three parted by commas"),
        (lambda d: [keras_model(d / "m.keras"), "--scale", "0"], "--scale 0"),
        (
            lambda d: [keras_model(d / "m.keras"), "--mean=9", "--input-range=0,1"],
            "--input-range says what --mean",
        ),
        (
            lambda d: [keras_model(d / "m.keras"), "--order=fer2013", "--colour=bgr"],
            "gray pictures, for which --colour changes nothing",
        ),
        (
            lambda d: [keras_model(d / "m.keras"), "--order=fer2013", "--mean=1,2,3"],
            "gray pictures: give --mean and --scale one number",
        ),
        (lambda d: [keras_model(d / "m.keras"), "--images", str(d / "none")], "no images"),
    ],
)
def test_bad_input_is_one_clear_line_and_leaves_nothing(
    arguments, words: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "none").mkdir()
    given = arguments(tmp_path)
    before = {path.name for path in tmp_path.iterdir()}
    assert main([*given, "--quiet"]) == 2
    said = capsys.readouterr()
    assert said.out == ""
    assert said.err.startswith("fer-convert: error: ")
    assert words in said.err
    assert said.err.count("\n") == 1
    assert {path.name for path in tmp_path.iterdir()} == before


def test_help_is_quick_and_needs_no_tensorflow() -> None:
    code = (
        "import sys\nfrom fer_edge.convert.cli import build_parser\nbuild_parser().format_help()\n"
        "assert not {'tensorflow', 'numpy', 'cv2', 'onnx'} & set(sys.modules), sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_help_names_every_default() -> None:
    said = build_parser().format_help()
    for words in ("--precision", "fp16", "(200)", "1.1", "--input-range=-1,1", ".pbtxt"):
        assert words in said


def test_standard_error_stays_clean_of_libraries(tmp_path: Path) -> None:
    path = keras_model(tmp_path / "m.keras")
    command = [sys.executable, "-m", "fer_edge.convert.cli", path, "--order", "fer2013", "--quiet"]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert (done.stdout, done.stderr) == ("", "")


def test_a_bare_install_names_what_is_missing(tmp_path: Path) -> None:
    code = (
        "import sys\nsys.modules['onnx_ir'] = None\n"
        "from fer_edge.convert.cli import main\nsys.exit(main(sys.argv[1:]))"
    )
    command = [sys.executable, "-c", code, noise(tmp_path / "noise.pb")]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert "pip install 'fer-edge[convert]'" in done.stderr
    assert done.stderr.count("\n") == 1
