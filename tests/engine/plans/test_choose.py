"""Real models opened by a plan, with the user's cache in a temporary folder."""

from __future__ import annotations

import shutil
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest

from fer_edge.engine.backends import BACKENDS, Backend, Plan, open_backend
from fer_edge.engine.backends.plan import Decision
from fer_edge.engine.cores import cores, physical_cores
from fer_edge.engine.engine_file import to_bytes
from fer_edge.engine.errors import BackendUnavailable, BadInput
from fer_edge.engine.plans import PlanOptions, cache, choose, known_decision, open_model
from fer_edge.engine.plans.machine import machine

from ..scripted import expression_facts
from ..test_engine_file import ENGINE
from ..tiny_models import write_detector, write_expression
from .test_candidates import rewritten

needs_openvino = pytest.mark.skipif(not find_spec("openvino"), reason="pip install openvino")
needs_both = pytest.mark.skipif(
    not (find_spec("openvino") and find_spec("onnxruntime")),
    reason="pip install openvino onnxruntime",
)


@pytest.fixture(autouse=True)
def cached(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("FER_EDGE_CACHE", str(tmp_path / "cache"))
    monkeypatch.delenv("FER_EDGE_MEASURE")
    # However slow the machine is, all are tried.
    monkeypatch.setattr(choose, "_LIMIT_S", {"detector": 600.0, "expression": 600.0})
    monkeypatch.setattr(choose, "is_busy", lambda: False)
    return tmp_path / "cache"


@pytest.fixture(params=[write_expression, write_detector])
def path(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    return request.param(tmp_path / "m.onnx")


@needs_both
def test_the_first_run_measures_and_the_next_one_remembers(path: Path, cached: Path) -> None:
    assert known_decision(path) is None
    with open_model(path) as first:
        decision = first.decision
    assert decision is not None
    assert decision.plan == first.plan
    tried = {trial.plan.backend for trial in decision.trials if trial.seconds is not None}
    assert tried == {"openvino", "onnxruntime"}
    with open_model(path) as second:
        assert second.decision == replace(decision, remembered=True) == known_decision(path)
        assert second.plan == first.plan
    assert "[cached]" in second.why()
    with open_model(path, PlanOptions(again=True)) as third:
        assert third.decision is not None
        assert not third.decision.remembered
    assert len(list(cached.rglob("*.json"))) == 1
    # Other options are another question.
    assert known_decision(path, PlanOptions(threads=1)) is None


@needs_both
def test_a_named_backend_is_the_only_one_tried(path: Path) -> None:
    for name in ("openvino", "onnxruntime"):
        with open_model(path, PlanOptions(backend=name)) as model:
            assert model.decision is not None
            assert {trial.plan.backend for trial in model.decision.trials} <= {name}
            assert model.plan.backend == name


@needs_both
def test_where_there_is_one_way_nothing_is_measured(path: Path, cached: Path) -> None:
    with open_model(path, PlanOptions(backend="onnxruntime", threads=1)) as model:
        assert model.why() == "onnxruntime, CPU, fp32, 1 thread (the only way here)"
    assert not cached.exists()


@needs_openvino
def test_the_environment_keeps_to_the_plain_plan(
    path: Path, cached: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FER_EDGE_MEASURE", "never")
    with open_model(path) as model:
        assert model.plan.backend == "openvino"
        assert model.plan.precision == "fp32"
        assert "not measured" in model.why()
    with open_model(path, PlanOptions(threads=1)) as model:
        assert model.plan.threads in (0, 1)
    with open_model(path, PlanOptions(device="cpu", precision="fp32")) as model:
        assert model.device == "CPU"
    with pytest.raises(BackendUnavailable, match="--device npu"):
        open_model(path, PlanOptions(device="npu"))
    assert not cached.exists()


@needs_openvino
def test_a_file_in_int8_beside_the_model_is_tried(tmp_path: Path) -> None:
    path = write_expression(tmp_path / "m.onnx")
    rewritten(path, tmp_path / "m.int8.onnx", precision="int8")
    with open_model(path, PlanOptions(precision="int8", threads=1)) as model:
        assert model.precision == "int8"
        assert model.plan.file == "m.int8.onnx"
        # It was held to the answers of the plain one.
        assert model.facts.precision == "int8"
    with open_model(path) as model:
        assert model.decision is not None
        assert "int8" in {trial.plan.precision for trial in model.decision.trials}


@needs_openvino
@pytest.mark.parametrize(
    "change",
    [{"device": "GPU.7"}, {"backend": "abacus"}, {"file": "../other.onnx"}, {"file": "none.onnx"}],
    ids=str,
)
def test_a_remembered_plan_that_does_not_work_is_measured_anew(
    change: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = write_expression(tmp_path / "m.onnx")
    write_expression(tmp_path.parent / "other.onnx")
    with open_model(path) as model:
        decision = model.decision
    assert decision is not None
    broken = replace(decision.plan, **change)
    monkeypatch.setattr(cache, "recall", lambda key: Decision(broken, remembered=True))
    with open_model(path) as model:
        assert model.decision is not None
        assert not model.decision.remembered
        assert model.plan.backend in BACKENDS


@needs_both
def test_what_was_measured_beside_other_work_holds_as_long_as_there_is_some(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    remembered = []
    for busy in (True, True, False, False, True):
        monkeypatch.setattr(choose, "is_busy", lambda busy=busy: busy)
        with open_model(path) as model:
            assert model.decision is not None
            remembered.append(model.decision.remembered)
            assert ("beside other work" in model.why()) == model.decision.busy
    assert remembered == [False, True, False, True, True]
    # What the user asks to be measured holds.
    open_model(path, PlanOptions(again=True)).close()
    monkeypatch.setattr(choose, "is_busy", lambda: False)
    with open_model(path) as model:
        assert model.decision is not None
        assert model.decision.remembered


@needs_openvino
def test_without_a_place_for_the_cache_all_works(
    path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("FER_EDGE_CACHE", str(tmp_path / "file" / "cache"))
    for _ in range(2):
        with open_model(path) as model:
            assert model.decision is not None
            assert not model.decision.remembered


def test_whatever_decides_is_in_the_key(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = write_expression(tmp_path / "m.onnx")
    names = set()

    def note() -> None:
        facts = expression_facts()
        variants = choose.find_variants(path, facts)
        names.add(cache.path_of(choose._key(path, variants, PlanOptions())).name)

    note()
    note()
    assert len(names) == 1
    monkeypatch.setenv("ONEDNN_MAX_CPU_ISA", "AVX2")
    note()
    rewritten(path, tmp_path / "m.int8.onnx", precision="int8")
    note()
    write_detector(path)
    note()
    monkeypatch.setattr(choose, "machine", lambda: {**machine(), "cores": 1000})
    note()
    assert len(names) == 5


def test_the_machine_is_told_by_name() -> None:
    here = machine()
    assert here["processor"]
    assert here["libraries"]["numpy"]
    assert 1 <= physical_cores() <= cores()
    assert (here["cores"], here["physical"]) == (cores(), physical_cores())


def test_an_engine_and_a_device_that_does_not_run_it(tmp_path: Path) -> None:
    path = tmp_path / "m.engine"
    path.write_bytes(to_bytes(expression_facts(), ENGINE, b"code"))
    with pytest.raises(BackendUnavailable, match=r"m\.engine: a TensorRT engine.*ONNX file"):
        open_model(path, PlanOptions(backend="onnxruntime"))
    assert known_decision(path) is None


@pytest.mark.usefixtures("tensorrt_is_installed")
def test_tensorrt_is_no_matter_of_measuring(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    opened: list[Any] = []

    def opening(path: Path, how: Any) -> Backend:
        opened.append(how)
        return open_backend(path, "onnxruntime")

    monkeypatch.setattr(choose, "open_backend", opening)
    for device in ("auto", "gpu"):
        open_model(path, PlanOptions(backend="tensorrt", device=device)).close()
    assert opened == ["tensorrt", "tensorrt"]
    with pytest.raises(BackendUnavailable, match="--device cpu: TensorRT runs on NVIDIA"):
        open_model(path, PlanOptions(backend="tensorrt", device="cpu"))
    # An engine stands ready, and another device is asked for.
    monkeypatch.setattr(choose, "choose_backend", lambda name, path=None: "tensorrt")
    monkeypatch.setattr(choose, "_LIMIT_S", {"detector": 0.0, "expression": 0.0})
    open_model(path, PlanOptions(device="cpu", threads=1)).close()
    assert all(isinstance(how, Plan) for how in opened[2:])


def test_a_broken_file_is_told_as_ever(tmp_path: Path) -> None:
    path = write_expression(tmp_path / "m.onnx")
    shutil.copy(path, tmp_path / "copy.onnx")
    path.write_bytes(path.read_bytes()[:-100])
    with pytest.raises(BadInput, match=r"m\.onnx"):
        open_model(path)
