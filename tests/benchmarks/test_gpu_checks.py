"""Checks of gpu_check.py that need TensorRT, on the stand-in for a GPU."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import pytest

from fer_edge.benchmarks.gpu_checks import parity, sizes
from fer_edge.benchmarks.gpu_checks.models import DETECTORS, MODELS, engine_place
from fer_edge.engine.config import shipped_weights
from fer_edge.engine.model import read_facts
from fer_edge.engine.tensorrt import find

from ..engine.conftest import (  # noqa: F401 - fixtures
    THIS_GPU,
    driver,
    kernels,
    tensorrt_is_installed,
    write_engine,
)


@pytest.fixture
def work(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    driver: object,  # noqa: F811
    tensorrt_is_installed: None,  # noqa: F811
) -> Path:
    """Where the check before left an engine of each model."""
    monkeypatch.setenv("FER_EDGE_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(find, "installed_target", lambda: "tensorrt")
    monkeypatch.setattr(sizes, "present_gpu", lambda: THIS_GPU)
    for name in MODELS:
        onnx = shipped_weights(name)
        see = read_facts(onnx).input
        size = (see.width, see.height) if see.step else None
        write_engine(onnx, engine_place(tmp_path, "tensorrt", name), size=size)
    return tmp_path


@pytest.mark.parametrize("driver", ["lazy"], indirect=True)
def test_all_detectors_are_held_against_the_cpu(work: Path) -> None:
    found = parity.check(SimpleNamespace(work=work, photos=None))
    for name in DETECTORS:
        assert found[name]["faces"] == 1
        assert found[name]["largest errors"]["1 - IoU"] < 0.01


@pytest.mark.parametrize("driver", ["eager"], indirect=True)
def test_every_shape_of_a_frame_gets_its_engine(work: Path) -> None:
    found = sizes.check(SimpleNamespace(work=work, photos=None))
    assert len(found) == 1 + len(sizes.CASES)
    # The last is seen in two sizes.
    assert len(list((work / "cache").glob("centerface-*.engine"))) == len(sizes.CASES) + 1
