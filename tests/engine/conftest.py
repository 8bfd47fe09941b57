"""A runtime that takes the stand-in for a GPU."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from fer_edge.engine.backends import BACKENDS
from fer_edge.engine.cuda import device as device_module
from fer_edge.engine.cuda.device import Device
from fer_edge.engine.cuda.gpu import GPU
from fer_edge.engine.engine_file import EngineFacts, to_bytes
from fer_edge.engine.gpu import kcf as gpu_kcf
from fer_edge.engine.model import read_facts, sha256_of
from fer_edge.engine.tensorrt import execution
from fer_edge.engine.tensorrt.engine_build import sized_facts

from . import stand_in
from .cuda.cpu_gpu import StandIn, build, compiler

THIS_GPU = GPU("Stand-in", "8.6", "580.65.06")


@pytest.fixture(scope="session")
def kernels(tmp_path_factory: pytest.TempPathFactory) -> StandIn:
    if compiler() is None:
        pytest.skip("there is no g++")
    return StandIn(build(tmp_path_factory.mktemp("kernels")))


@pytest.fixture(scope="session")
def watched_kernels(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The library of the kernels, for `sanitized`."""
    return build(tmp_path_factory.mktemp("watched"), sanitize=True)


@pytest.fixture(params=["lazy", "eager"])
def driver(
    request: pytest.FixtureRequest, kernels: StandIn, monkeypatch: pytest.MonkeyPatch
) -> Iterator[stand_in.Driver]:
    """`pycuda.driver` of a machine whose GPU is THIS_GPU, with TensorRT 10.9."""
    driver = stand_in.Driver(kernels, request.param == "lazy")
    monkeypatch.setattr(device_module, "_opened", Device(driver, THIS_GPU))
    for module in (execution, gpu_kcf):
        monkeypatch.setattr(module, "capture", stand_in.capture)
    monkeypatch.setitem(sys.modules, "tensorrt", stand_in.tensorrt(driver))
    yield driver
    assert driver.depth == 0, "a context was left current"
    assert not driver.memories, "memory was not given back"


@pytest.fixture
def tensorrt_is_installed(monkeypatch: pytest.MonkeyPatch) -> None:
    """For the table of backends, which looks for distributions."""
    entry = BACKENDS["tensorrt"]
    monkeypatch.setitem(BACKENDS, "tensorrt", replace(entry, libraries=(("json", "pip"),), also=()))


def write_engine(
    onnx: Path,
    path: Path,
    batch: tuple[int, int, int] = (1, 4, 16),
    size: tuple[int, int] | None = None,
) -> Path:
    """An engine that the stand-in runs."""
    facts, content = sized_facts(read_facts(onnx), size), onnx.read_bytes()
    if size is not None:
        content = stand_in.with_size(content, (1, 3, size[1], size[0]))
    about = EngineFacts(
        target="tensorrt", version=stand_in.VERSION, precision=facts.precision,
        onnx_name=onnx.name, onnx_sha256=sha256_of(onnx), compute_capabilities=("8.6",),
        gpu=THIS_GPU.name, batch=batch if facts.kind == "expression" else (1, 1, 1),
        version_compatible=False, hardware_compatible=False, size=size,
    )  # fmt: skip
    path.write_bytes(to_bytes(facts, about, content))
    return path
