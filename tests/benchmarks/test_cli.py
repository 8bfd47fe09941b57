"""`fer-bench` as a user meets it: real runs of small models, its files, its one-line errors."""

from __future__ import annotations

import json
import sys
import types
from pathlib import Path

import pytest

from fer_edge.benchmarks import workloads
from fer_edge.benchmarks.cli import main
from fer_edge.benchmarks.gpu import GpuWatch, first_gpu
from fer_edge.benchmarks.memory import peak_resident_bytes, resident_bytes
from fer_edge.benchmarks.options import STAGES
from fer_edge.benchmarks.readme import BEGIN, END
from fer_edge.benchmarks.records import read_report
from fer_edge.benchmarks.soak import growth
from fer_edge.engine.config import DETECTOR_FILES, shipped_weights
from fer_edge.engine.errors import BadInput
from fer_edge.engine.model import sha256_of

from ..convert.ssd_graph import Recipe, write_ssd
from ..engine.tiny_models import write_detector, write_expression
from .reports import report


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    """Options that put small quick models in place of the shipped ones."""
    folder = tmp_path_factory.mktemp("models")
    detector = write_detector(folder / "detector.onnx")
    expression = write_expression(folder / "expression.onnx")
    return ["--detector", str(detector), "--expression", str(expression)]


SHORT = ["--frames", "10", "--quiet"]


def test_a_run_measures_every_combination_and_stores_every_form(
    models: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    files = {kind: tmp_path / f"report.{kind}" for kind in ("json", "md", "html")}
    words = ["run", "express", "stages", *models, *SHORT, "--tracker", "none"]
    words += ["--faces", "1,2", "--streams", "1,3", "--size", "160x120"]
    words += ["--json", str(files["json"]), "--markdown", str(files["md"])]
    words += ["--html", str(files["html"]), "--trace", str(tmp_path / "trace.json")]
    assert main(words) == 0
    assert capsys.readouterr() == ("", "")
    made = read_report(files["json"])
    assert made.command == ["fer-bench", *words]
    combinations = [(r.case.faces, r.case.streams) for r in made.cases]
    assert combinations == [(1, 1), (1, 3), (2, 1), (2, 3)]
    for result in made.cases:
        (ours,) = result.contestants
        assert [lap.frames for lap in ours.laps] == [10 * result.case.streams] * 5
        assert (ours.fps_in_hand is None) == (result.case.streams > 1)
        assert (result.startup is None) == (result.case.streams > 1)
        assert result.breakdown is not None
        names = {stage.name for stage in result.breakdown.stages}
        assert {"decode", "preprocess", "detect", "NMS", "track", "classify"} <= names
    start = made.cases[0].startup
    assert start is not None
    assert 0 < start.ready_s < start.first_result_s
    assert start.peak_rss_bytes > start.frames_bytes > 0
    expected = [name for name in STAGES if name != "upload"]  # there is no GPU
    assert [stage.name for stage in made.stages] == 2 * expected
    assert {path.name for path in tmp_path.iterdir()} == {
        "report.json", "report.md", "report.html", "trace.json",
    }  # fmt: skip
    assert json.loads((tmp_path / "trace.json").read_text())["traceEvents"]


def test_a_case_says_how_often_faces_are_classified(models: list[str], tmp_path: Path) -> None:
    words = ["run", "express", *models, *SHORT, "--classify-every", "5", "--size", "160x120"]
    assert main([*words, "--json", str(tmp_path / "r.json")]) == 0
    (result,) = read_report(tmp_path / "r.json").cases
    assert result.case.classify_every == 5
    assert result.case.title == "express, 1 face, 160x120, classified every 5, detector"
    assert "expressions every 5 frames" in result.contestants[0].about


def test_detectors_and_intervals_are_compared_in_one_run(models: list[str], tmp_path: Path) -> None:
    words = ["detect", *models, *SHORT, "--size", "160x120", "--detect-every", "5,1"]
    words += ["--detector", f"{models[1]},lite", "--json", str(tmp_path / "r.json")]
    assert main(words) == 0
    made = read_report(tmp_path / "r.json")
    assert [(one.case.detector_name, one.case.detect_every) for one in made.cases] == [
        ("detector", 5), ("detector", 1), ("lite", 5), ("lite", 1),
    ]  # fmt: skip
    assert len({one.case.title for one in made.cases}) == 4
    for one in made.cases:
        assert one.case.detector_plan.startswith("openvino, CPU, ")
        assert one.contestants[0].tracking is None or one.case.detect_every > 1
    files = {shipped_weights(DETECTOR_FILES["lite"]), Path(models[1])}
    assert {one.case.detector_file for one in made.cases} == {sha256_of(path) for path in files}
    # No detector but the published one verifies a claim.
    assert made.claims == []


def test_without_frames_to_track_the_baseline_is_the_session(
    models: list[str], tmp_path: Path
) -> None:
    write_ssd(tmp_path / "graph.pb", Recipe())
    words = ["detect", *models, *SHORT, "--size", "160x120", "--detect-every", "1"]
    words += ["--baseline", "--graph", str(tmp_path / "graph.pb"), "--json", str(tmp_path / "a")]
    assert main(words) == 0
    (result,) = read_report(tmp_path / "a").cases
    session = result.contestants[1]
    assert session.about.endswith("session on graph.pb, no tracking")
    assert session.tracking is None


def test_a_run_decodes_and_writes_only_when_asked(models: list[str], tmp_path: Path) -> None:
    words = ["express", *models, *SHORT, "--size", "160x120", "--json", str(tmp_path / "a.json")]
    assert main([*words, "--with-decode", "--with-outputs"]) == 0
    (result,) = read_report(tmp_path / "a.json").cases
    assert (result.case.decode, result.case.outputs) == (True, True)
    assert result.breakdown is not None
    stages = {stage.name: stage for stage in result.breakdown.stages}
    assert {"draw", "sinks"} <= set(stages)
    ours = result.contestants[0]
    # Decoding and outputs are inside the full clock alone.
    assert ours.fps_in_hand is not None
    assert ours.fps_in_hand.value > ours.fps.value
    assert read_report(tmp_path / "a.json").claims == []


def test_the_baseline_runs_in_the_same_case(models: list[str], tmp_path: Path) -> None:
    write_ssd(tmp_path / "graph.pb", Recipe())
    words = ["detect", *models, *SHORT, "--size", "320x240", "--json", str(tmp_path / "a.json")]
    assert main([*words, "--baseline", "--graph", str(tmp_path / "graph.pb")]) == 0
    (result,) = read_report(tmp_path / "a.json").cases
    assert [one.name for one in result.contestants] == ["fer-edge", "2019", "2019 haar"]
    assert [ratio.over for ratio in result.ratios] == ["2019", "2019 haar"]
    for ratio in result.ratios:
        assert ratio.fps.low is not None
        assert 0 < ratio.fps.low <= ratio.fps.value


def test_the_users_own_source_is_measured(models: list[str], tmp_path: Path) -> None:
    from fer_edge.engine.cli import main as fer_run

    video = tmp_path / "talk.mp4"
    assert fer_run([*models, "--max-frames", "15", "--save", str(video), "--quiet"]) == 0
    words = ["detect", *models, *SHORT, "--source", str(video), "--json", str(tmp_path / "a.json")]
    assert main(words) == 0
    (result,) = read_report(tmp_path / "a.json").cases
    assert (result.case.source, result.case.faces) == ("talk.mp4", None)
    assert (result.case.width, result.case.height) == (640, 480)


@pytest.mark.parametrize(("error", "status"), [(KeyboardInterrupt(), 130), (BadInput("no"), 2)])
def test_what_was_measured_before_a_run_broke_off_is_kept(
    error: BaseException,
    status: int,
    models: list[str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def broken(*_: object) -> None:
        raise error

    monkeypatch.setattr(workloads, "measure_stages", broken)
    words = ["detect", "stages", *models, *SHORT, "--size", "160x120"]
    assert main([*words, "--json", str(tmp_path / "a.json")]) == status
    made = read_report(tmp_path / "a.json")
    assert [result.case.workload for result in made.cases] == ["detect"]
    assert "broke off" in made.notes[-1]


def test_a_page_without_its_libraries_is_refused_before_the_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    assert main(["--html", str(tmp_path / "a.html")]) == 2
    said = capsys.readouterr().err
    assert said == "fer-bench: error: --html needs matplotlib: pip install 'fer-edge[bench]'\n"


def test_haar_can_be_measured(tmp_path: Path) -> None:
    words = ["detect", "--detector", "haar", *SHORT, "--json", str(tmp_path / "a.json")]
    assert main([*words, "--size", "320x240"]) == 0
    (result,) = read_report(tmp_path / "a.json").cases
    assert (result.case.backend, result.case.detector) == ("opencv", "haar")
    assert result.contestants[0].faces.mean == pytest.approx(1, abs=0.2)


def test_a_report_is_shown_compared_and_put_into_a_readme(
    models: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    from fer_edge.benchmarks.records import write_report

    write_report(report(), tmp_path / "a.json")
    assert main(["report", str(tmp_path / "a.json")]) == 0
    assert "The published claims" in capsys.readouterr().out
    assert main(["compare", str(tmp_path / "a.json"), str(tmp_path / "a.json")]) == 0
    said = capsys.readouterr().out
    assert "noise" in said
    assert "faster" not in said
    (tmp_path / "README.md").write_text(f"{BEGIN}{END}")
    assert main(["readme", str(tmp_path / "a.json"), str(tmp_path / "README.md")]) == 0
    assert "Measured by `fer-bench`" in (tmp_path / "README.md").read_text()


def test_soak_reports_memory_over_the_run(models: list[str], tmp_path: Path) -> None:
    words = ["soak", "--frames", "300", *models, "--size", "160x120", "--quiet"]
    assert main([*words, "--json", str(tmp_path / "a.json")]) == 0
    made = read_report(tmp_path / "a.json").soak
    assert made is not None
    assert made.frames == made.at_frames[-1] == 300
    assert all(size > 10_000_000 for size in made.rss_bytes)


def test_growth_is_seen_and_warm_up_is_not() -> None:
    at = list(range(100, 10_100, 100))
    flat = [2 * 10**8 if frames <= 200 else 10**8 for frames in at]
    assert growth(at, flat, 200) == 0
    leak = [10**8 + 1000 * frames for frames in at]
    assert growth(at, leak, 200) == pytest.approx(1000 * 9000, rel=0.05)


def test_memory_is_this_process_alone() -> None:
    before = resident_bytes()
    held = bytearray(b"x" * 50_000_000)
    assert resident_bytes() - before > 40_000_000
    assert peak_resident_bytes() >= resident_bytes() - 5_000_000
    del held


def test_nvml_answers_or_there_is_no_gpu(monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("pynvml", reason="nvidia-ml-py is not installed")
    named = first_gpu()
    with GpuWatch() as watch:
        pass
    # The real library: on a machine without a driver both say so, with one both answer.
    assert (named is None) == (watch.use is None)
    monkeypatch.setitem(sys.modules, "pynvml", None)
    assert first_gpu() is None
    with GpuWatch() as watch:
        pass
    assert watch.use is None


def test_what_nvml_says_reaches_the_report(monkeypatch: pytest.MonkeyPatch) -> None:
    """The driver's surface as a stand-in: no test machine has a GPU."""

    class NVMLError(Exception):
        pass

    used = iter([3, 5, 4] + [4] * 1000)
    driver = types.SimpleNamespace(
        NVMLError=NVMLError,
        NVML_CLOCK_SM=1,
        nvmlInit=lambda: None,
        nvmlShutdown=lambda: None,
        nvmlDeviceGetCount=lambda: 1,
        nvmlDeviceGetHandleByIndex=lambda index: index,
        nvmlDeviceGetName=lambda handle: b"Some GPU",
        nvmlSystemGetDriverVersion=lambda: "570.1",
        nvmlDeviceGetMemoryInfo=lambda handle: types.SimpleNamespace(used=next(used)),
        nvmlDeviceGetClockInfo=lambda handle, clock: 1500,
        nvmlDeviceGetPowerUsage=lambda handle: 60_000,
    )
    monkeypatch.setitem(sys.modules, "pynvml", driver)
    assert first_gpu() == "Some GPU, driver 570.1"
    with GpuWatch() as watch:
        pass
    assert watch.use is not None
    assert (watch.use.name, watch.use.clock_hz, watch.use.power_w) == ("Some GPU", 1.5e9, 60.0)
    driver.nvmlInit = lambda: (_ for _ in ()).throw(NVMLError())
    assert first_gpu() is None


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["detect", "fly"], "no workload 'fly'; there are detect, express, stages, convert"),
        (["stages", "--stages", "track,fly"], "no stage 'fly'"),
        (["--faces", "0"], "--faces 0: give numbers from 1"),
        (["--faces", "one"], "--faces one: give numbers with commas"),
        (["--size", "huge"], "--size huge: give width and height"),
        (["--size", "10x10"], "sides from 64"),
        (["--streams", "1,17"], "--streams 1,17: give numbers from 1 to 16"),
        (["--detect-every", "often"], "--detect-every often"),
        (["--threads", "-1"], "-1 threads"),
        (["figures", "--readme", "README.md"], "README.md: no such file"),
        (["--repetitions", "3"], "give 5 or more"),
        (["--seconds", "0"], "--seconds 0"),
        (["--frames", "-1"], "--frames -1"),
        (["--baseline"], "with --graph"),
        (["--baseline", "--graph", "missing.pb"], "missing.pb: no such frozen graph"),
        (["--source", "missing.mp4"], "missing.mp4: no such"),
        (["--source", "demo", "--faces", "2"], "leave --faces and --photos out"),
        (["--source", "demo", "--size", "640x480"], "leave --size"),
        (["--with-outputs", "--streams", "2"], "leave --streams out"),
        (["--photos", "missing"], "missing"),
        (["--detector", "missing.onnx"], "missing.onnx: no such model"),
        (["--backend", "abacus"], "abacus"),
        (["--tracker", "psychic"], "psychic"),
        (["--precision", "posit8"], "no precision 'posit8'"),
        (["stages", "--detector", "haar"], "leave --detector haar out"),
        (["--json", "no/where.json"], "where.json: cannot be written"),
        (["--json", "a", "--html", "a"], "one file for two"),
        (["compare", "missing.json", "missing.json"], "missing.json: no such report"),
        (["report", "missing.json"], "missing.json: no such report"),
        (["readme", "missing.json", "README.md"], "missing.json: no such report"),
        (["soak", "--frames", "0"], "--frames 0"),
    ],
)
def test_bad_input_is_one_clear_line(
    words: list[str],
    said: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(words) == 2
    output = capfd.readouterr()
    assert output.out == ""
    assert output.err.startswith("fer-bench: error: ")
    assert said in output.err
    assert output.err.count("\n") == 1
    assert not list(tmp_path.iterdir())
