"""The README's own commands, links and Python."""

from __future__ import annotations

import json
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from fer_edge.benchmarks.cli import build_parser as bench_parser
from fer_edge.benchmarks.cli import with_command
from fer_edge.convert.cli import build_parser as convert_parser
from fer_edge.engine.cli import build_parser as run_parser
from fer_edge.engine.sinks.records import POSE, SCHEMA
from fer_edge.models.cli import build_parser as train_parser

from .conftest import REPOSITORY
from .convert.keras_models import randomise, small
from .convert.onnx_detectors.networks import Form, save, yunet
from .convert.ssd_graph import Recipe, write_ssd
from .models.tiny_faces import shades

README = (REPOSITORY / "README.md").read_text()
PARSERS = {
    "fer-run": run_parser,
    "fer-convert": convert_parser,
    "fer-train": train_parser,
    "fer-bench": bench_parser,
}
MODULES = {
    "fer-run": "fer_edge.engine.cli",
    "fer-convert": "fer_edge.convert.cli",
    "fer-train": "fer_edge.models.cli",
    "fer-bench": "fer_edge.benchmarks.cli",
}
# What no test machine has. Their options are still checked.
NEEDS = {"--camera": "a camera", "rtsp://": "an RTSP camera", "--serve": "somebody to end it"}


def blocks(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```", README, flags=re.M | re.S)


def commands() -> list[list[str]]:
    lines = [line for block in blocks("sh") for line in block.splitlines()]
    split = [shlex.split(line, comments=True) for line in lines]
    return [words for words in split if words and words[0] in MODULES]


@pytest.fixture(scope="module")
def workplace(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the files that the README's commands name."""
    import keras

    folder = tmp_path_factory.mktemp("readme")
    (folder / "photos").mkdir()
    shutil.copy(REPOSITORY / "engine/sources/astronaut.jpg", folder / "photos")
    run(folder, ["fer-run", "--max-frames", "30", "--save", "talk.mp4", "--quiet"])
    write_ssd(folder / "frozen_inference_graph.pb", Recipe())
    save(yunet(Form(seed=4)), folder / "yunet.onnx")
    (folder / "labels.pbtxt").write_text("item {\n  id: 1\n  name: 'face'\n}\n")
    (folder / "wider_face_val_bbx_gt.txt").write_text("photos/astronaut.jpg\n1\n180 64 89 117 0\n")
    # Weights whose answers are clear, as a trained network's are: int8 flips near-ties.
    randomise(small(keras), seed=3).save(folder / "expressions.h5")
    write_csv(folder / "fer2013.csv")
    for name in ("happy", "surprise"):
        (folder / "ckplus" / name).mkdir(parents=True)
        for person in range(10):
            image = folder / "ckplus" / name / f"S{person:03}_001_00000001.jpg"
            shutil.copy(REPOSITORY / "engine/sources/astronaut.jpg", image)
    return folder


def write_csv(path: Path) -> None:
    """A few shaded faces in the form of Kaggle's file."""
    faces = shades(28)
    usages = ["Training"] * 21 + ["PublicTest"] * 7
    rows = zip(faces.labels, faces.images, usages, strict=True)
    lines = [f"{label},{' '.join(map(str, image.ravel()))},{u}" for label, image, u in rows]
    path.write_text("\n".join(["emotion,pixels,Usage", *lines]) + "\n")


def run(folder: Path, words: list[str]) -> None:
    command = [sys.executable, "-m", MODULES[words[0]], *words[1:]]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    assert done.returncode == 0, (words, done.stderr)


def test_there_are_commands_to_test() -> None:
    assert len(commands()) >= 8


@pytest.mark.parametrize("words", commands(), ids=" ".join)
def test_every_command_runs(words: list[str], workplace: Path) -> None:
    given = with_command(words[1:]) if words[0] == "fer-bench" else words[1:]
    PARSERS[words[0]]().parse_args(given)
    for sign, thing in NEEDS.items():
        if any(sign in word for word in words):
            pytest.skip(f"needs {thing}; its options were parsed")
    run(workplace, [*words, *shortened(words)])


def shortened(words: list[str]) -> list[str]:
    """What makes a long command short and shows as much."""
    if words[0] == "fer-run" and not {"--source", "--list-backends"} & set(words):
        return ["--max-frames", "10"]
    if words[0] == "fer-bench" and with_command(words[1:])[0] in ("run", "soak"):
        return ["--frames", "10"]
    if words[0] == "fer-train" and words[1] in ("fit", "finetune"):
        return ["--epochs", "1", "--batch-size", "8"]
    return []


def test_the_python_example_runs_and_prints_faces(tmp_path: Path) -> None:
    (example,) = blocks("python")
    stopping = example.replace("print(", "pipeline.stop(); print(")
    done = subprocess.run(
        [sys.executable, "-c", stopping], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert "happy" in done.stdout


def test_the_record_shown_has_the_form_that_is_written() -> None:
    (example,) = blocks("json")
    shown = json.loads(example)
    assert shown["schema"] == SCHEMA
    assert list(shown) == ["schema", "frame", "time", "faces"]
    assert list(shown["faces"][0]) == [
        "id", "box", "score", "origin", "landmarks", "pose", "expression", "probabilities",
    ]  # fmt: skip
    assert list(shown["faces"][0]["pose"]) == list(POSE)


def test_links_and_make_targets_exist() -> None:
    for target in re.findall(r"\]\((?!http)([^)#]+)\)", README):
        assert (REPOSITORY / target).exists(), target
    makefile = (REPOSITORY / "Makefile").read_text()
    for target in re.findall(r"^make (\w+)", README, flags=re.M):
        assert re.search(rf"^{target}:", makefile, flags=re.M), target
