"""Real engines, built by TensorRT-RTX, which needs no GPU for that."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from fer_edge.convert.cli import main
from fer_edge.convert.conversion import Options, write
from fer_edge.convert.onnx_detectors.conversion import convert_onnx_detector
from fer_edge.convert.quantisation import quantise
from fer_edge.convert.quantisation.agreement import DetectionJudge, Difference, Outputs
from fer_edge.convert.tensorrt.command import prepare
from fer_edge.engine.config import DETECTOR_FILE, EXPRESSION_FILE, shipped_weights
from fer_edge.engine.engine_file import read_engine
from fer_edge.engine.errors import BackendUnavailable
from fer_edge.engine.model import InputFacts, read_facts
from fer_edge.engine.tensorrt.options import EngineOptions
from fer_edge.models.keras_backend import import_keras

from ...conftest import REPOSITORY
from ...engine.scripted import detector_facts
from ...engine.tiny_models import write_mirror
from ..keras_models import small
from ..ssd_graph import Recipe, write_ssd

SEE = InputFacts("image", 160, 128, "bgr", "letterbox", (0.0,) * 3, (1.0,) * 3, 32)
OPEN = detector_facts(input=SEE)

trt = pytest.importorskip("tensorrt_rtx", reason="TensorRT-RTX is not installed")


def build(arguments: list[object]) -> int:
    return main([*map(str, arguments), "--quiet"])


@pytest.mark.parametrize("name", [DETECTOR_FILE, EXPRESSION_FILE])
def test_shipped_models_become_engines_for_several_gpus(tmp_path: Path, name: str) -> None:
    onnx = shipped_weights(name)
    out = tmp_path / "m.engine"
    assert build([onnx, "--target", "tensorrt-rtx", "--sm", "75,86,89,120", "-o", out]) == 0
    engine = read_engine(out)
    assert engine.facts == read_facts(onnx).without_label_head()
    assert engine.engine.compute_capabilities == ("7.5", "8.6", "8.9", "12.0")
    assert engine.engine.precision == "fp16"
    assert engine.engine.version == trt.__version__
    assert engine.engine.onnx_name == name
    # Reading an engine back needs a driver. Its tensors are in it by name.
    for tensor in (engine.facts.input.name, "probabilities" if "expr" in name else "scores"):
        assert tensor.encode() in engine.payload
    assert [path.name for path in tmp_path.iterdir()] == ["m.engine"]


@pytest.mark.parametrize("precision", ["fp32", "fp16"])
def test_the_original_files_become_engines_in_one_step(tmp_path: Path, precision: str) -> None:
    write_ssd(tmp_path / "graph.pb", Recipe())
    small(import_keras()).save(tmp_path / "e.keras")
    for source, named in (("graph.pb", []), ("e.keras", ["--order=fer2013"])):
        words = [tmp_path / source, *named, "--target", "tensorrt-rtx", "--sm", "86"]
        assert build([*words, "--precision", precision]) == 0
        engine = read_engine((tmp_path / source).with_suffix(".engine"))
        assert engine.engine.precision == precision
        assert read_facts((tmp_path / source).with_suffix(".onnx")) == engine.facts


def test_a_head_for_the_label_is_left_out_of_engines(tmp_path: Path) -> None:
    import_keras()
    from fer_edge.models.networks import build_network

    options = {"widths": [4, 8], "convolutions": [1, 1], "label_head": True}
    build_network("plain", 7, options).save(tmp_path / "e.keras")
    words = [tmp_path / "e.keras", "--order=fer2013", "--target", "tensorrt-rtx", "--sm", "86"]
    assert build(words) == 0
    engine = read_engine(tmp_path / "e.engine")
    facts = read_facts(tmp_path / "e.onnx")
    assert facts.expression is not None
    assert facts.expression.label_output == "label_probabilities"
    assert engine.facts == facts.without_label_head()
    assert b"label_probabilities" not in engine.payload
    assert b"probabilities" in engine.payload


def test_int8_goes_from_keras_to_an_engine(tmp_path: Path) -> None:
    from fer_edge.engine.cli import main as fer_run

    video = tmp_path / "v.mp4"
    assert fer_run(["--max-frames", "60", "--save", str(video), "--quiet"]) == 0
    source = REPOSITORY / "models" / "expression_64.keras"
    words = [source, "--target", "tensorrt-rtx", "--sm", "86"]
    words += ["--precision", "int8", "--calibrate", video, "-o", tmp_path / "m.engine"]
    assert build(words) == 0
    assert read_engine(tmp_path / "m.engine").engine.precision == "int8"


def test_the_batch_is_that_of_the_option(tmp_path: Path) -> None:
    onnx = shipped_weights(EXPRESSION_FILE)
    words = [onnx, "--target", "tensorrt-rtx", "--sm", "89", "-o", tmp_path / "m.engine"]
    assert build([*words, "--batch", "1:2:5", "--workspace", "64"]) == 0
    assert read_engine(tmp_path / "m.engine").engine.batch == (1, 2, 5)


def test_an_engine_has_one_size_and_several_sizes_are_several_engines(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    onnx = shipped_weights("yunet_s.onnx")
    words = [onnx, "--target", "tensorrt-rtx", "--sm", "86", "-o", tmp_path / "m.engine"]
    assert main([*map(str, words), "--size", "320x256"]) == 0
    assert "m.engine: detector, 320x256, fp16, for SM 8.6, " in capsys.readouterr().out
    assert build([*words, "--size", "640x480,128x160"]) == 0
    facts, expected = read_facts(onnx), {"": (320, 256), "-640x480": (640, 480)}
    for name, size in {**expected, "-128x160": (128, 160)}.items():
        engine = read_engine(tmp_path / f"m{name}.engine")
        assert engine.engine.size == size
        assert engine.facts.input == replace(facts.input.of_size(*size), step=0)
        assert engine.facts.detector == facts.detector
    assert len(list(tmp_path.iterdir())) == 3
    # Without one it is the model's own.
    assert build(words) == 0
    assert read_engine(tmp_path / "m.engine").engine.size == (320, 256)


@pytest.mark.parametrize(("name", "sm"), [("centerface", "75"), ("yunet_s", "120")])
def test_onnx_detectors_become_engines_in_one_step(
    shared: Path, tmp_path: Path, name: str, sm: str
) -> None:
    source = shared / "models" / f"{name}.onnx"
    words = [source, "--target", "tensorrt-rtx", "--sm", sm, "--size", "320x256,160x128"]
    assert build([*words, "-o", tmp_path / "d.engine"]) == 0
    for size in ((320, 256), (160, 128)):
        engine = read_engine(tmp_path / "d-{}x{}.engine".format(*size))
        assert (engine.engine.precision, engine.engine.size) == ("fp32", size)
        assert engine.facts.detector is not None
        assert engine.facts.detector.landmarks_output == "landmarks"


class Anything(DetectionJudge):
    """Accepts whatever int8 does to a network: what counts here is that an engine can be built."""

    def __call__(self, found: Sequence[Outputs], expected: Sequence[Outputs]) -> Difference:
        return Difference({"scores off by": (0.0, 1.0)})

    def findings(self, outputs: Outputs) -> int:
        return 1


@pytest.mark.parametrize(("name", "sm"), [("centerface", "86"), ("yunet_s", "89")])
def test_onnx_detectors_in_int8_become_engines(
    shared: Path, tmp_path: Path, name: str, sm: str
) -> None:
    source = shared / "models" / f"{name}.onnx"
    conversion = convert_onnx_detector(source, Options(), lambda text: nullcontext())
    rng = np.random.default_rng(0)
    inputs = [rng.uniform(0, 255, (1, 3, 128, 160)).astype(np.float32) for _ in range(3)]
    facts = replace(conversion.facts, precision="int8")
    int8 = quantise(conversion.model, inputs, Anything(facts)).model
    write(replace(conversion, model=int8, facts=facts), tmp_path / "d.onnx")
    words = [tmp_path / "d.onnx", "--target", "tensorrt-rtx", "--sm", sm, "--size", "160x128"]
    assert build(words) == 0
    engine = read_engine(tmp_path / "d.engine").engine
    assert (engine.precision, engine.size) == ("int8", (160, 128))


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--size", "320x256,320x250"], "320x250 is not in steps of 32"),
        (["--size", "96x96"], "give sides of 128 or more"),
        (["--size", "320"], "'320': give it as 320x256"),
        (["--size", "320x256", "--target", "onnx"], "leave it out"),
    ],
)
def test_sizes_that_a_detector_does_not_take_are_told_before_anything_is_built(
    tmp_path: Path, words: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    source = write_mirror(tmp_path / "d.onnx", OPEN)
    words = [str(source), "--sm", "86", "--target", "tensorrt-rtx", *words]
    if "onnx" in words:
        words[0] = str(REPOSITORY / "models" / "expression.keras")
    assert build([*words, "-o", tmp_path / "m.engine"]) == 2
    assert message in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == [source]


def test_a_model_of_one_size_is_built_for_that(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = [shipped_weights(DETECTOR_FILE), "--target", "tensorrt-rtx", "--sm", "86"]
    assert build([*words, "-o", tmp_path / "m.engine", "--size", "320x256"]) == 2
    assert "the network takes 512x512 only" in capsys.readouterr().err


def test_without_a_gpu_one_has_to_be_named(monkeypatch: pytest.MonkeyPatch) -> None:
    from fer_edge.convert.tensorrt import command

    monkeypatch.setattr(command, "present_gpu", lambda: None)
    with pytest.raises(BackendUnavailable, match="--sm 75,86,89,120"):
        prepare(EngineOptions("tensorrt-rtx"))


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--sm", "90"], "does not build for 90"),
        (["--sm", "86", "--precision", "fp32"], "is fp16, and --precision fp32"),
        (["--sm", "x"], "as 75,86,120"),
        (["--sm", "86", "--batch", "9:1:1"], "MIN:OPT:MAX, rising"),
        (["--sm", "86", "-o", "a/b.engine"], "b.engine: cannot be written"),
        (["--sm", "86", "-o", "b.onnx"], "does not end in .onnx"),
        (["--sm", "86", "--hardware-compatible"], "has no --hardware-compatible"),
    ],
)
def test_mistakes_are_one_line_and_leave_nothing(
    tmp_path: Path, words: list[str], message: str, capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    monkeypatch.chdir(tmp_path)
    out = [] if "-o" in words else ["-o", "m.engine"]
    onnx = shipped_weights(EXPRESSION_FILE)
    assert build([onnx, "--target", "tensorrt-rtx", *words, *out]) == 2
    error = capsys.readouterr().err
    assert message in error
    assert error.count("\n") == 1
    assert not list(tmp_path.iterdir())
