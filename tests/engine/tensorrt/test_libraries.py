"""What differs between versions. Only TensorRT-RTX can be installed on any machine; the others
are stood in for by modules that hold what each version's documentation names."""

from __future__ import annotations

import sys
from enum import IntEnum
from types import SimpleNamespace
from typing import Any

import pytest

from fer_edge.engine.cuda.gpu import GPU
from fer_edge.engine.errors import BackendUnavailable, BadInput
from fer_edge.engine.tensorrt.libraries import Library, load_library, load_runtime


class Config:
    def __init__(self) -> None:
        self.flags: list[Any] = []

    def set_flag(self, flag: Any) -> None:
        self.flags.append(flag)


def module(version: str, creation: dict[str, int], flags: dict[str, int]) -> Any:
    return SimpleNamespace(
        __version__=version,
        NetworkDefinitionCreationFlag=IntEnum("Creation", creation),
        BuilderFlag=IntEnum("Flag", flags),
    )


TRT_8 = module(
    "8.6.1", {"EXPLICIT_BATCH": 0, "EXPLICIT_PRECISION": 1},
    {"FP16": 0, "INT8": 1, "OBEY_PRECISION_CONSTRAINTS": 12},
)  # fmt: skip
TRT_10 = module("10.9.0.34", {"EXPLICIT_BATCH": 0, "STRONGLY_TYPED": 1}, {"FP16": 0})
TRT_11 = module("11.0.0.1", {"PREFER_JIT": 1}, {"TF32": 7})


@pytest.mark.parametrize(("trt", "flags"), [(TRT_8, 1), (TRT_10, 2), (TRT_11, 0)])
def test_networks_are_typed_by_the_graph_wherever_a_version_can(trt: Any, flags: int) -> None:
    assert Library("tensorrt", trt, trt.__version__).network_flags() == flags


@pytest.mark.parametrize("precision", ["fp32", "fp16", "int8"])
def test_only_the_old_version_is_told_the_precision(precision: str) -> None:
    for trt in (TRT_8, TRT_10, TRT_11):
        config = Config()
        Library("tensorrt", trt, trt.__version__).set_types(config, precision)
        names = [flag.name for flag in config.flags]
        told = {"fp32": [], "fp16": ["FP16"], "int8": ["FP16", "INT8"]}[precision]
        assert names == ([*told, "OBEY_PRECISION_CONSTRAINTS"] if trt is TRT_8 else [])


def test_what_is_missing_or_too_old_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "tensorrt", None)
    with pytest.raises(BackendUnavailable, match="TensorRT is not installed"):
        load_library("tensorrt")
    monkeypatch.setitem(sys.modules, "tensorrt_rtx", None)
    with pytest.raises(BackendUnavailable, match=r"pip install 'fer-edge\[tensorrt-rtx\]'"):
        load_library("tensorrt-rtx")
    monkeypatch.setitem(sys.modules, "tensorrt", module("8.4.0", {}, {}))
    with pytest.raises(BackendUnavailable, match=r"TensorRT 8.4.0 is too old; 8.6 is needed"):
        load_library("tensorrt")


def test_rtx_names_the_gpus_it_can_build_for() -> None:
    pytest.importorskip("tensorrt_rtx", reason="TensorRT-RTX is not installed")
    library = load_library("tensorrt-rtx")
    config = SimpleNamespace()
    with pytest.raises(BadInput, match="does not build for 61; it builds for 75"):
        library.set_capabilities(config, ("6.1", "8.6"))


def test_rtx_says_on_which_gpus_it_runs() -> None:
    pytest.importorskip("tensorrt_rtx", reason="TensorRT-RTX is not installed")
    library = load_library("tensorrt-rtx")
    library.check_gpu(GPU("NVIDIA RTX A2000", "8.6"))
    said = r"does not run on NVIDIA H200, SM 9.0, only on 75, .*: install NVIDIA's TensorRT"
    with pytest.raises(BackendUnavailable, match=said):
        library.check_gpu(GPU("NVIDIA H200", "9.0"))
    Library("tensorrt", None, "10.9").check_gpu(GPU("NVIDIA H200", "9.0"))


def test_the_lean_runtime_runs_what_any_version_may_run(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "tensorrt", None)
    lean = module("10.9.0.34", {}, {})
    lean.__spec__ = SimpleNamespace()
    monkeypatch.setitem(sys.modules, "tensorrt_lean", lean)
    assert load_runtime("tensorrt", version_compatible=True).module is lean
    with pytest.raises(BackendUnavailable, match="TensorRT is not installed"):
        load_runtime("tensorrt")


def test_rtx_records_graphs_itself() -> None:
    made: list[Any] = []
    config = SimpleNamespace()
    engine = SimpleNamespace(
        create_runtime_config=lambda: config,
        create_execution_context=lambda *words: made.append(words) or "context",
    )
    rtx = SimpleNamespace(
        __version__="1.7.1.116", CudaGraphStrategy=IntEnum("S", {"WHOLE_GRAPH_CAPTURE": 1})
    )
    assert Library("tensorrt-rtx", rtx, "1.7.1.116").new_context(engine) == "context"
    assert made == [(config,)]
    assert config.cuda_graph_strategy.name == "WHOLE_GRAPH_CAPTURE"
    assert not Library("tensorrt-rtx", rtx, "1.7.1.116").records_graphs
    assert Library("tensorrt", TRT_10, "10.9.0.34").new_context(engine) == "context"
    assert made[1] == ()
