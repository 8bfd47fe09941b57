"""From the user's file to an engine: really built by TensorRT-RTX, which needs no GPU for it."""

from __future__ import annotations

import logging
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from fer_edge.engine.config import DETECTOR_FILE, EXPRESSION_FILE, shipped_weights
from fer_edge.engine.cuda.gpu import GPU
from fer_edge.engine.engine_file import read_engine, to_bytes
from fer_edge.engine.errors import BackendUnavailable, BadInput, InputNotFound
from fer_edge.engine.model import read_facts, sha256_of
from fer_edge.engine.tensorrt import find
from fer_edge.engine.tensorrt.cache import cache_folder
from fer_edge.engine.tensorrt.find import find_engine, installed_target

from ..test_engine_file import ENGINE

trt = pytest.importorskip("tensorrt_rtx", reason="TensorRT-RTX is not installed")

HERE = GPU("RTX 3060", "8.6", "580.65.06")


@pytest.fixture(autouse=True)
def builds(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What was built. "For the GPU at hand" becomes its name, since there is none."""
    monkeypatch.setenv("FER_EDGE_CACHE", str(tmp_path / "cache"))
    made: list[str] = []
    really = find.engine_bytes

    def build(name: str, onnx: bytes, facts: Any, library: Any, options: Any, gpu: GPU) -> Any:
        made.append(name)
        named = replace(options, capabilities=(gpu.capability,))
        return really(name, onnx, facts, library, named, gpu)

    monkeypatch.setattr(find, "engine_bytes", build)
    return made


@pytest.fixture
def onnx(tmp_path: Path) -> Path:
    return Path(shutil.copy(shipped_weights(EXPRESSION_FILE), tmp_path / "e.onnx"))


def test_an_onnx_file_is_built_once(
    onnx: Path, builds: list[str], caplog: pytest.LogCaptureFixture
) -> None:
    place, engine = find_engine(onnx, HERE)
    assert place.parent == cache_folder()
    assert engine.facts == read_facts(onnx).without_label_head()
    assert engine.engine.onnx_sha256 == sha256_of(onnx)
    assert engine.engine.compute_capabilities == ("8.6",)
    (said,) = caplog.messages
    assert (
        said
        == f"{onnx}: building its engine for RTX 3060 with TensorRT-RTX {trt.__version__}, once"
    )
    assert find_engine(onnx, HERE) == (place, engine)
    assert builds == ["e.onnx"]
    # Another driver may want other code.
    find_engine(onnx, replace(HERE, driver="590.1"))
    assert len(builds) == 2
    assert len(list(cache_folder().iterdir())) == 2


def test_a_detector_takes_one_frame_at_a_time() -> None:
    _, engine = find_engine(shipped_weights(DETECTOR_FILE), HERE)
    assert engine.engine.batch == (1, 1, 1)


def test_each_size_is_an_engine_of_its_own(
    builds: list[str], caplog: pytest.LogCaptureFixture
) -> None:
    path = shipped_weights("yunet_s.onnx")
    own = read_facts(path).input
    places = set()
    for size in ((128, 160), (160, 128), (128, 160), None, (own.width, own.height)):
        place, engine = find_engine(path, HERE, size)
        width, height = size or (own.width, own.height)
        assert engine.facts.input == replace(own, width=width, height=height, step=0)
        assert engine.engine.size == (width, height)
        places.add(place)
    assert len(builds) == len(places) == 3
    assert "building its 128x160 engine for RTX 3060" in caplog.messages[0]
    with pytest.raises(BadInput, match=r"100x160: give sides of 128 or more"):
        find_engine(path, HERE, (100, 160))
    # One that lies under another's name.
    place, engine = find_engine(path, HERE, (128, 160))
    place.write_bytes(find_engine(path, HERE, (160, 128))[0].read_bytes())
    assert find_engine(path, HERE, (128, 160))[1].facts == engine.facts
    assert len(builds) == 4


def test_an_engine_that_does_not_fit_is_built_anew_in_its_size(
    tmp_path: Path, builds: list[str]
) -> None:
    onnx = Path(shutil.copy(shipped_weights("yunet_s.onnx"), tmp_path / "d.onnx"))
    path = write(tmp_path / "m.engine", onnx, compute_capabilities=("12.0",), size=(160, 128))
    _, engine = find_engine(path, HERE)
    assert engine.engine.size == (160, 128)
    assert (engine.facts.input.width, engine.facts.input.height) == (160, 128)
    assert builds == ["d.onnx"]


def test_a_damaged_engine_in_the_cache_is_built_anew(
    onnx: Path, builds: list[str], caplog: pytest.LogCaptureFixture
) -> None:
    place, engine = find_engine(onnx, HERE)
    place.write_bytes(place.read_bytes()[:-1])
    caplog.clear()
    assert find_engine(onnx, HERE)[1].engine == engine.engine
    assert read_engine(place).payload
    assert "damaged, or cut off" in caplog.messages[0]
    assert len(builds) == 2
    # One that is whole and is not what its name says.
    other = replace(engine.engine, onnx_sha256="0" * 64)
    place.write_bytes(to_bytes(engine.facts, other, engine.payload))
    assert find_engine(onnx, HERE)[1].engine == engine.engine
    assert len(builds) == 3


def write(path: Path, onnx: Path, **changes: Any) -> Path:
    about = replace(
        ENGINE, version=trt.__version__, onnx_name=onnx.name, onnx_sha256=sha256_of(onnx), **changes
    )
    path.write_bytes(to_bytes(read_facts(onnx), about, b"code"))
    return path


def test_an_engine_that_fits_is_taken_as_it_is(
    tmp_path: Path, onnx: Path, builds: list[str], caplog: pytest.LogCaptureFixture
) -> None:
    path = write(tmp_path / "m.engine", onnx)
    place, engine = find_engine(path, HERE)
    assert (place, engine.payload) == (path, b"code")
    assert not builds
    assert not caplog.messages


def test_an_engine_for_another_gpu_is_built_anew_from_the_onnx_beside_it(
    tmp_path: Path, onnx: Path, builds: list[str], caplog: pytest.LogCaptureFixture
) -> None:
    path = write(tmp_path / "m.engine", onnx, compute_capabilities=("12.0",), batch=(1, 2, 5))
    before = path.read_bytes()
    place, engine = find_engine(path, HERE)
    assert place.parent == cache_folder()
    assert engine.engine.batch == (1, 2, 5)
    assert builds == ["e.onnx"]
    assert path.read_bytes() == before
    warned = [r.message for r in caplog.records if r.levelno >= logging.WARNING]
    assert f"SM 12.0; this machine has TensorRT-RTX {trt.__version__}, SM 8.6" in warned[0]
    assert warned[0].endswith(f"using {onnx} instead")


def test_a_damaged_engine_is_built_anew_from_the_onnx_of_its_name(
    tmp_path: Path, onnx: Path, builds: list[str]
) -> None:
    path = write(tmp_path / "e.engine", onnx)
    for damaged in (path.read_bytes()[:-1], path.read_bytes()[:30]):
        path.write_bytes(damaged)
        assert find_engine(path, HERE)[1].facts == read_facts(onnx).without_label_head()
    assert builds == ["e.onnx"]


def test_without_the_onnx_file_both_sides_are_named(tmp_path: Path, onnx: Path) -> None:
    path = write(tmp_path / "m.engine", onnx, compute_capabilities=("12.0",))
    onnx.unlink()
    with pytest.raises(BadInput, match=r"for SM 12\.0; this machine has .* SM 8\.6: rebuild with"):
        find_engine(path, HERE)
    path.write_bytes(path.read_bytes()[:-1])
    with pytest.raises(BadInput, match=r"m\.engine: damaged, or cut off"):
        find_engine(path, HERE)
    with pytest.raises(InputNotFound, match=r"none\.onnx"):
        find_engine(tmp_path / "none.onnx", HERE)


@pytest.mark.parametrize("beside", [True, False])
def test_a_gpu_that_the_library_does_not_run_on_is_named(
    tmp_path: Path, onnx: Path, beside: bool
) -> None:
    path = write(tmp_path / "m.engine", onnx, compute_capabilities=("12.0",))
    if not beside:
        onnx.unlink()
    with pytest.raises(BackendUnavailable, match=r"does not run on NVIDIA H200, SM 9\.0"):
        find_engine(path, GPU("NVIDIA H200", "9.0"))


def test_another_model_of_the_same_name_is_no_replacement(
    tmp_path: Path, onnx: Path, builds: list[str]
) -> None:
    path = write(tmp_path / "m.engine", onnx, compute_capabilities=("12.0",))
    shutil.copy(shipped_weights(DETECTOR_FILE), onnx)
    with pytest.raises(BadInput, match="rebuild with"):
        find_engine(path, HERE)
    assert not builds


def test_without_any_library_both_installs_are_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(find, "find_spec", lambda name: None)
    with pytest.raises(BackendUnavailable, match=r"NVIDIA's TensorRT.*; or pip install 'fer-edge"):
        installed_target()
