"""OpenVINO's devices on a machine that has them, by a core that only pretends."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

openvino = pytest.importorskip("openvino")

from fer_edge.engine.backends import Plan, open_backend  # noqa: E402
from fer_edge.engine.backends.devices import Device, find_devices, openvino_devices  # noqa: E402
from fer_edge.engine.cores import physical_cores  # noqa: E402
from fer_edge.engine.plans import PlanOptions, open_model  # noqa: E402

from ..tiny_models import write_detector  # noqa: E402

FOUND = {
    "CPU": ("FP32", "BF16", "INT8", "BIN", "EXPORT_IMPORT"),
    "GPU": ("FP32", "FP16", "INT8", "GPU_USM_MEMORY"),
    "NPU": ("FP16", "INT8", "EXPORT_IMPORT"),
}
REAL_CORE = openvino.Core


class PretendingCore:
    """Says that it has a GPU and an NPU, notes what it is to compile for them, and computes it
    on the CPU."""

    compiled: list[tuple[str, dict[str, Any]]]

    def __init__(self) -> None:
        self._core = REAL_CORE()
        self.available_devices = list(FOUND)

    def get_property(self, device: str, name: str) -> Any:
        if name == "FULL_DEVICE_NAME":
            return f"A {device} "
        if device == "AUTO":
            raise RuntimeError("no such property")
        return list(FOUND[device])

    def read_model(self, path: str) -> Any:
        return self._core.read_model(path)

    def compile_model(self, model: Any, device: str, options: dict[str, Any]) -> Any:
        self.compiled.append((device, options))
        return self._core.compile_model(model, "CPU", {"INFERENCE_PRECISION_HINT": "f32"})


@pytest.fixture
def compiled(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> list[tuple[str, dict[str, Any]]]:
    monkeypatch.setattr(openvino, "Core", PretendingCore)
    monkeypatch.setenv("FER_EDGE_CACHE", str(tmp_path / "cache"))
    notes: list[tuple[str, dict[str, Any]]] = []
    monkeypatch.setattr(PretendingCore, "compiled", notes, raising=False)
    return notes


@pytest.mark.usefixtures("compiled")
def test_devices_come_with_the_precisions_they_compute_in() -> None:
    assert openvino_devices() == (
        Device("openvino", "CPU", "A CPU", ("fp32", "bf16", "int8")),
        Device("openvino", "GPU", "A GPU", ("fp32", "fp16", "int8")),
        Device("openvino", "NPU", "A NPU", ("fp16", "int8")),
    )


def test_the_devices_of_this_machine_are_told_in_a_line_each() -> None:
    for device in find_devices(["openvino"]):
        assert "\n" not in device.describe()
    assert any(device.name == "CPU" for device in find_devices(["openvino"]))
    assert find_devices(["tensorrt"]) == ()


@pytest.mark.parametrize(
    ("plan", "expected"),
    [
        (Plan("openvino", "CPU", "bf16", 1), {"INFERENCE_NUM_THREADS": 1}),
        (
            Plan("openvino", "CPU", "fp32", physical_cores() + 1),
            {"INFERENCE_NUM_THREADS": physical_cores() + 1, "ENABLE_HYPER_THREADING": True},
        ),
        (Plan("openvino", "", "fp32"), {}),
    ],
    ids=str,
)
def test_plans_for_the_cpu_in_openvinos_words(
    plan: Plan,
    expected: dict[str, Any],
    compiled: list[tuple[str, dict[str, Any]]],
    tmp_path: Path,
) -> None:
    open_backend(write_detector(tmp_path / "d.onnx"), plan).close()
    ((device, options),) = compiled
    assert device == "CPU"
    hint = {"bf16": openvino.Type.bf16, "fp32": openvino.Type.f32}[plan.precision]
    assert options == {
        "PERFORMANCE_HINT": "LATENCY",
        "INFERENCE_PRECISION_HINT": hint,
        **expected,
    }


@pytest.mark.parametrize(
    ("plan", "hint"),
    [
        (Plan("openvino", "GPU", "fp16"), openvino.Type.f16),
        (Plan("openvino", "GPU.1", "fp32"), openvino.Type.f32),
        (Plan("openvino", "NPU", "fp16"), None),
        (Plan("openvino", "AUTO", "fp32"), openvino.Type.f32),
    ],
    ids=str,
)
def test_other_devices_keep_what_they_compiled(
    plan: Plan, hint: Any, compiled: list[tuple[str, dict[str, Any]]], tmp_path: Path
) -> None:
    with open_backend(write_detector(tmp_path / "d.onnx"), plan) as model:
        assert model.plan == plan
    ((device, options),) = compiled
    assert device == plan.device
    assert options.get("INFERENCE_PRECISION_HINT") == hint
    assert options["CACHE_DIR"] == str(tmp_path / "cache" / "openvino")


def test_a_device_that_is_asked_for_is_the_one_that_computes(
    compiled: list[tuple[str, dict[str, Any]]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("FER_EDGE_MEASURE")
    path = write_detector(tmp_path / "d.onnx")
    with open_model(path, PlanOptions(device="npu")) as model:
        assert model.why() == "openvino, NPU, fp16 (the only way here)"
    compiled.clear()
    with open_model(path, PlanOptions(device="gpu", again=True)) as model:
        assert model.device == "GPU"
        assert model.decision is not None
        assert {trial.plan.device for trial in model.decision.trials} == {"GPU"}
    # The CPU gave the answers that the others were held to.
    assert [device for device, _ in compiled] == ["CPU", "GPU", "GPU"] or [
        device for device, _ in compiled
    ] == ["GPU", "CPU", "GPU"]
