from __future__ import annotations

import csv
import json
import re
import shutil
import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest

from fer_edge.convert.cli import main as convert
from fer_edge.engine.model import read_facts
from fer_edge.models.cli import build_parser, main
from fer_edge.models.keras_backend import import_keras

from ..conftest import REPOSITORY
from .tiny_faces import SEVEN, TINY, write_folders, write_npz

import_keras()
PORTRAIT = REPOSITORY / "engine" / "sources" / "astronaut.jpg"


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("train")
    write_npz(folder / "faces.npz")
    (folder / "run.json").write_text(TINY.to_json())
    words = ["fit", f"{folder}/faces.npz", "-o", f"{folder}/out", "--config", f"{folder}/run.json"]
    assert main([*words, "--quiet"]) == 0
    return folder


def test_fit_leaves_model_log_and_report(place: Path) -> None:
    names = {path.name for path in (place / "out").iterdir()}
    assert {"expression.keras", "config.json", "log.csv", "tensorboard", "report"} <= names
    assert "augmented.png" in names
    assert (place / "out/report/report.html").is_file()


def test_the_trained_file_is_converted_with_no_more_words(place: Path) -> None:
    assert convert([f"{place}/out/expression.keras", "-o", f"{place}/e.onnx", "--quiet"]) == 0
    facts = read_facts(place / "e.onnx")
    assert facts.labels == SEVEN
    assert facts.input.mean == (127.5,)


def test_a_model_of_other_classes_keeps_their_names(place: Path, tmp_path: Path) -> None:
    write_folders(tmp_path / "own", ("calm", "cross"), people=10)
    words = ["finetune", f"{place}/out/expression.keras", f"{tmp_path}/own", "-o",
             f"{tmp_path}/out", "--no-crop", "--epochs", "1", "--batch-size", "4",
             "--quiet"]  # fmt: skip
    assert main(words) == 0
    assert convert([f"{tmp_path}/out/expression.keras", "-o", f"{tmp_path}/e.onnx", "--quiet"]) == 0
    assert read_facts(tmp_path / "e.onnx").labels == ("calm", "cross")
    judge = ["evaluate", f"{tmp_path}/e.onnx", f"{tmp_path}/own", "-o", f"{tmp_path}/r"]
    assert main([*judge, "--quiet"]) == 0
    assert json.loads((tmp_path / "r/figures.json").read_text())["accuracy"]["count"] == 40


def test_source_and_converted_are_judged_alike_side_by_side(
    place: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    convert([f"{place}/out/expression.keras", "-o", f"{tmp_path}/e.onnx", "--quiet"])
    words = ["evaluate", f"{place}/out/expression.keras", f"{tmp_path}/e.onnx",
             f"{place}/faces.npz", "-o", f"{tmp_path}/r", "--backend", "onnxruntime"]  # fmt: skip
    assert main(words) == 0
    first, second = json.loads((tmp_path / "r/figures.json").read_text())["models"]
    assert (first["name"], second["name"]) == ("expression.keras", "e.onnx")
    assert first["confusion"] == second["confusion"]
    assert first["sha256"] != second["sha256"]
    said = capsys.readouterr().out
    agreed = f"{first['accuracy']['right'] / first['accuracy']['count']:.1%} ("
    assert re.search(rf"^accuracy +{re.escape(agreed)}.*{re.escape(agreed)}", said, re.MULTILINE)
    page = (tmp_path / "r/report.html").read_text()
    for link in re.findall(r'href="([^"]+)"', page):
        assert (tmp_path / "r" / link).is_file()
    assert page.count("href=") == 2


def test_photographs_go_through_the_detector_and_its_crop(place: Path, tmp_path: Path) -> None:
    convert([f"{place}/out/expression.keras", "-o", f"{tmp_path}/e.onnx", "--quiet"])
    for name in ("happy", "sad"):
        (tmp_path / "own" / "test" / name).mkdir(parents=True)
        shutil.copy(PORTRAIT, tmp_path / "own" / "test" / name)
    cv2.imwrite(f"{tmp_path}/own/test/sad/wall.png", np.full((300, 300, 3), 90, np.uint8))
    words = ["evaluate", f"{tmp_path}/e.onnx", f"{tmp_path}/own", "-o", f"{tmp_path}/r",
             "--crop", "lite"]  # fmt: skip
    assert main([*words, "--quiet"]) == 0
    figures = json.loads((tmp_path / "r/figures.json").read_text())
    assert figures["classes"] == ["happy", "sad"]
    assert figures["crop"]["usual"]["asked"] == 3
    assert figures["crop"]["usual"]["found"] == figures["accuracy"]["count"] == 2
    # The same face is one of the two classes, whatever the model knows besides.
    assert figures["accuracy"]["right"] == 1
    with (tmp_path / "r/predictions.csv").open() as file:
        for row in csv.DictReader(file):
            assert float(row["happy"]) + float(row["sad"]) == pytest.approx(1, abs=1e-4)


def test_folds_pool_every_face(
    place: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write_folders(tmp_path / "own", ("calm", "cross"), people=6)
    words = ["finetune", f"{place}/out/expression.keras", f"{tmp_path}/own", "-o",
             f"{tmp_path}/out", "--no-crop", "--epochs", "1", "--batch-size", "4",
             "--folds", "3"]  # fmt: skip
    assert main(words) == 0
    said = capsys.readouterr()
    assert "a new head for 2 classes: calm, cross" in said.out
    assert "6 people" in (tmp_path / "out/report/report.html").read_text()
    assert "warning" not in said.err
    figures = json.loads((tmp_path / "out/report/figures.json").read_text())
    assert figures["accuracy"]["count"] == 24


def test_names_without_people_are_warned_of(
    place: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    own = write_folders(tmp_path / "own", ("calm", "cross"), people=10)
    for index, file in enumerate(sorted(own.rglob("*.png"))):
        file.rename(file.with_name(f"{index}.png"))
    words = ["finetune", f"{place}/out/expression.keras", str(own), "-o", f"{tmp_path}/out",
             "--no-crop", "--epochs", "1", "--batch-size", "4"]  # fmt: skip
    assert main([*words, "--quiet"]) == 0
    assert "no person can be read from the names" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["fit", "none.csv", "-o", "x"], "none.csv: no such data set"),
        (["fit", "faces.npz", "-o", "x", "--config", "none.json"], "none.json: no such"),
        (["fit", "faces.npz", "-o", "x", "--epochs", "0"], "epochs is 0"),
        (["fit", "faces.npz", "-o", "x", "--architecture", "vgg"], "there are published, plain"),
        (["fit", "faces.npz", "-o", "x", "--precision", "int8"], "precision is 'int8'"),
        (["fit", "faces.npz", "-o", "x", "--keras-backend", "mxnet"], "no back end 'mxnet'"),
        (["finetune", "none.keras", "faces.npz", "-o", "x"], "none.keras: no such model"),
        (["finetune", "faces.npz", "faces.npz", "-o", "x"], "faces.npz"),
        (["finetune", "out/expression.keras", "faces.npz", "-o", "x", "--folds", "1"],
         "at least 2"),
        (["evaluate", "out/expression.keras", "none.onnx", "faces.npz", "-o", "x"],
         "none.onnx: no such model"),
        (["evaluate", "out/expression.keras", "faces.npz", "-o", "x", "--crop", "none"],
         "leave --crop out"),
        (["evaluate", "out/expression.keras", "faces.npz", "-o", "x", "--crop", "harr"],
         "no detector 'harr'"),
        (["evaluate", "none.onnx", "faces.npz", "-o", "x"], "none.onnx: no such model"),
        (["evaluate", "out/expression.keras", "faces.npz", "-o", "x", "--split", "y"],
         "no split 'y'"),
        (["evaluate", "out/expression.keras", "faces.npz", "-o", "x", "--labels", "a,b"],
         "2 labels for 7 classes"),
        (["evaluate", "out/expression.keras", "faces.npz", "-o", "x", "--input-range=1"],
         "expected LOW,HIGH"),
    ],
)  # fmt: skip
def test_mistakes_are_one_line(
    place: Path, words: list[str], message: str, capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    monkeypatch.chdir(place)
    assert main([*words, "--quiet"]) == 2
    error = capsys.readouterr().err
    assert message in error
    assert error.startswith("fer-train: error: ")
    assert error.count("\n") == 1
    assert not (place / "x" / "expression.keras").exists()


def test_help_is_quick_and_true() -> None:
    code = (
        "import sys; from fer_edge.models.cli import build_parser; build_parser().format_help();"
        "sys.exit(bool({'keras', 'numpy', 'sklearn', 'matplotlib', 'cv2'} & set(sys.modules)))"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
    assert "fer2013.csv" in build_parser().format_help()
