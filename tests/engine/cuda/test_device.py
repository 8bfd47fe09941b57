"""What keeps a GPU from being used, each in one line."""

from __future__ import annotations

import sys
from types import SimpleNamespace

import pytest

from fer_edge.engine.cuda import device
from fer_edge.engine.cuda.device import open_device
from fer_edge.engine.cuda.gpu import GPU, present_gpu
from fer_edge.engine.cuda.graph import CaptureFailed, capture
from fer_edge.engine.errors import BackendUnavailable


@pytest.fixture(autouse=True)
def _nothing_is_open(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(device, "_opened", None)


def test_without_a_gpu_other_backends_are_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(device, "present_gpu", lambda: None)
    with pytest.raises(BackendUnavailable, match=r"no NVIDIA GPU or driver here: take --backend"):
        open_device()


def test_without_pycuda_its_install_command_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(device, "present_gpu", lambda: GPU("RTX", "8.6"))
    monkeypatch.setitem(sys.modules, "pycuda", None)
    monkeypatch.setitem(sys.modules, "pycuda.driver", None)
    with pytest.raises(BackendUnavailable, match=r"PyCUDA is not installed.*pip install pycuda"):
        open_device()


def test_a_driver_that_does_not_start_gives_its_reason(monkeypatch: pytest.MonkeyPatch) -> None:
    class Error(Exception):
        pass

    def init() -> None:
        raise Error("cuInit failed: unknown error")

    broken = SimpleNamespace(Error=Error, init=init)
    monkeypatch.setattr(device, "present_gpu", lambda: GPU("RTX", "8.6"))
    monkeypatch.setattr(device, "import_module", lambda name: broken)
    with pytest.raises(BackendUnavailable, match=r"RTX: CUDA does not start .*unknown error"):
        open_device()


def test_without_a_driver_there_is_no_gpu_and_no_graph() -> None:
    missing = "libthere-is-no-such-driver.so.1"
    assert present_gpu(missing) is None
    with pytest.raises(CaptureFailed, match="no graphs"):
        capture(SimpleNamespace(handle=0), lambda: None, missing)
