from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import onnx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fer_edge.engine.backends import Plan
from fer_edge.engine.backends.devices import Device
from fer_edge.engine.errors import BackendUnavailable, FerError, InputNotFound
from fer_edge.engine.model import METADATA_KEY, read_facts
from fer_edge.engine.plans.candidates import (
    Variant,
    candidates,
    find_variants,
    is_plain,
    other_threads,
)
from fer_edge.engine.plans.options import PRECISIONS, PlanOptions

from ..scripted import expression_facts
from ..tiny_models import write_expression

CPU = Device("openvino", "CPU", "A processor", ("fp32", "bf16", "int8"))
GPU = Device("openvino", "GPU.0", "A graphics unit", ("fp32", "fp16", "int8"))
NPU = Device("openvino", "NPU", "A neural unit", ("fp16", "int8"))
AUTO = Device("openvino", "AUTO", "", ("fp32", "fp16", "bf16", "int8"))
ORT = Device("onnxruntime", "CPU", "", ("fp32", "int8"))
ALL = (CPU, GPU, NPU, AUTO, ORT)
OWN, INT8 = Variant("", "fp32"), Variant("m.int8.onnx", "int8")


def test_the_plain_plan_is_tried_first_and_the_slow_devices_last() -> None:
    plans = candidates(PlanOptions(), ALL, (OWN, INT8))
    assert plans == (
        Plan("openvino", "CPU", "fp32"),
        Plan("onnxruntime", "CPU", "fp32"),
        Plan("openvino", "CPU", "int8", file="m.int8.onnx"),
        Plan("onnxruntime", "CPU", "int8", file="m.int8.onnx"),
        Plan("openvino", "CPU", "bf16"),
        Plan("openvino", "GPU.0", "int8", file="m.int8.onnx"),
        Plan("openvino", "GPU.0", "fp16"),
        Plan("openvino", "GPU.0", "fp32"),
        Plan("openvino", "NPU", "int8", file="m.int8.onnx"),
        Plan("openvino", "NPU", "fp16"),
    )


@pytest.mark.parametrize("own", ["fp32", "fp16", "int8"])
def test_the_plain_plan_is_openvinos_whatever_the_file_holds(own: str) -> None:
    first, second, *_ = candidates(PlanOptions(), (ORT, CPU), (Variant("", own),))
    assert first == Plan("openvino", "CPU", "int8" if own == "int8" else "fp32")
    assert second == Plan("onnxruntime", "CPU", own)
    assert is_plain(first, (Variant("", own),))
    assert is_plain(second, (Variant("", own),))


device_options = st.sampled_from(["auto", "cpu", "gpu", "GPU.0", "npu", "AUTO", "cuda", "tpu"])
some_options = st.builds(
    PlanOptions,
    st.sampled_from(["auto", "openvino", "onnxruntime"]),
    device_options,
    st.integers(0, 4),
    st.sampled_from(["auto", *PRECISIONS]),
)


@given(some_options, st.sets(st.sampled_from(ALL)), st.booleans())
def test_what_is_asked_for_is_what_is_tried(
    options: PlanOptions, devices: set[Device], with_int8: bool
) -> None:
    variants = (OWN, INT8) if with_int8 else (OWN,)
    try:
        plans = candidates(options, sorted(devices, key=ALL.index), variants)
    except BackendUnavailable:
        return
    assert plans
    assert len(set(plans)) == len(plans)
    for plan in plans:
        assert any((plan.backend, plan.device) == (d.backend, d.name) for d in devices)
        assert options.backend in ("auto", plan.backend)
        assert options.precision in ("auto", plan.precision)
        assert plan.threads == (options.threads if plan.device == "CPU" else 0)
        assert (plan.precision == "int8") == (plan.file == "m.int8.onnx")
        if options.device == "AUTO":
            assert plan.device == "AUTO"
        elif options.device != "auto":
            assert plan.device.startswith(options.device.upper())


def test_onnx_runtime_by_name_is_on_cuda_where_it_is_built_for_it() -> None:
    cuda = Device("onnxruntime", "CUDA", "", ("fp32", "int8"))
    devices = (CPU, cuda, ORT)
    named = PlanOptions("onnxruntime")
    assert [plan.device for plan in candidates(named, devices, (OWN,))] == ["CUDA"]
    on_cpu = replace(named, device="cpu")
    assert [plan.device for plan in candidates(on_cpu, devices, (OWN,))] == ["CPU"]
    assert [plan.device for plan in candidates(PlanOptions(device="gpu"), devices, (OWN,))] == [
        "CUDA"
    ]
    assert candidates(PlanOptions(), devices, (OWN,))[-1].device == "CUDA"


def test_fp32_asks_for_the_plain_plan_of_a_file_with_fp16_weights() -> None:
    half = (Variant("", "fp16"),)
    assert candidates(PlanOptions(precision="fp32"), (CPU, ORT), half) == (
        Plan("openvino", "CPU", "fp32"),
        Plan("onnxruntime", "CPU", "fp16"),
    )


def test_what_is_not_there_is_told_in_a_line_with_what_is() -> None:
    with pytest.raises(
        BackendUnavailable,
        match=r"--device npu: .*give one of auto, AUTO, CPU: openvino CPU A processor \(fp",
    ):
        candidates(PlanOptions(device="npu"), (CPU, AUTO), (OWN,))
    with pytest.raises(BackendUnavailable, match=r"--precision fp16: .*has bf16, fp32 for"):
        candidates(PlanOptions(precision="fp16"), (CPU,), (OWN,))
    with pytest.raises(BackendUnavailable, match=r"--precision int8: .*NAME\.int8\.onnx"):
        candidates(PlanOptions(precision="int8"), (CPU,), (OWN,))
    with pytest.raises(BackendUnavailable, match="pip install openvino"):
        candidates(PlanOptions(), (), (OWN,))


@pytest.mark.parametrize(
    "values",
    [{"backend": "abacus"}, {"threads": -1}, {"threads": 5000}, {"precision": "fp8"}],
    ids=str,
)
def test_options_check_themselves(values: dict[str, object]) -> None:
    with pytest.raises(FerError):
        PlanOptions(**values)  # type: ignore[arg-type]


def test_other_numbers_of_threads_are_one_and_all_cores() -> None:
    plan = Plan("openvino", "CPU", "fp32", 2)
    assert [other.threads for other in other_threads(plan, PlanOptions(), 4)] == [1, 4]
    assert [other.threads for other in other_threads(plan, PlanOptions(), 2)] == [1]
    assert not list(other_threads(replace(plan, threads=1), PlanOptions(), 1))
    assert not list(other_threads(plan, PlanOptions(threads=2), 4))
    assert not list(other_threads(replace(plan, device="GPU"), PlanOptions(), 4))


def rewritten(path: Path, to: Path, **changes: object) -> None:
    """A copy of a model with other facts."""
    model = onnx.load(path)
    facts = replace(read_facts(path), **changes)  # type: ignore[arg-type]
    del model.metadata_props[:]
    onnx.helper.set_model_props(model, {METADATA_KEY: facts.to_json()})
    onnx.save(model, to)


def test_variants_are_files_of_the_same_network_beside_the_model(tmp_path: Path) -> None:
    path = write_expression(tmp_path / "e.onnx")
    facts = read_facts(path)
    assert find_variants(path, facts) == (Variant("", "fp32"),)
    rewritten(path, tmp_path / "e.int8.onnx", precision="int8", converter="another")
    # Of another original, and no model at all.
    rewritten(path, tmp_path / "e.fp16.onnx", precision="fp16", source_sha256="1" * 64)
    (tmp_path / "e.bf16.onnx").write_bytes(b"nothing")
    assert find_variants(path, facts) == (Variant("", "fp32"), Variant("e.int8.onnx", "int8"))
    with pytest.raises(InputNotFound):
        find_variants(path, read_facts(tmp_path / "none.onnx"))
    assert expression_facts() == facts
