"""The TensorRT backend on the stand-in: its silhouette, its choice, and its refusals."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from fer_edge.engine.backends import BACKENDS, choose_backend, open_backend
from fer_edge.engine.backends.exact import Exact
from fer_edge.engine.backends.sizes import KEPT
from fer_edge.engine.cuda import gpu as gpu_module
from fer_edge.engine.engine_file import read_engine, to_bytes
from fer_edge.engine.errors import BackendUnavailable, BadInput
from fer_edge.engine.model import InputFacts, sha256_of
from fer_edge.engine.tensorrt import execution, find
from fer_edge.engine.tensorrt.cache import CacheKey, cached_path, keep
from fer_edge.engine.tensorrt.options import EngineOptions

from ..conftest import THIS_GPU, write_engine
from ..scripted import detector_facts
from ..stand_in import VERSION, Context, Driver
from ..tiny_models import write_detector, write_expression, write_mirror

pytestmark = pytest.mark.usefixtures("tensorrt_is_installed")


@pytest.fixture
def onnx(tmp_path: Path) -> Path:
    return write_expression(tmp_path / "e.onnx")


def test_it_looks_like_the_others(driver: Driver, onnx: Path, tmp_path: Path) -> None:
    engine = write_engine(onnx, tmp_path / "e.engine", (2, 4, 6))
    with open_backend(engine, "tensorrt") as ours, open_backend(onnx, "onnxruntime") as plain:
        assert ours.facts == plain.facts
        assert (ours.device, ours.precision) == ("CUDA", "fp32")
        driver.log.clear()
        kept = []
        # More than it takes are divided, fewer are filled up.
        for count in (1, 2, 6, 7, 13, 1):
            faces = np.random.default_rng(count).normal(0, 9, (count, 1, 8, 8)).astype(np.float32)
            found = ours.infer({"face": faces})["probabilities"]
            expected = plain.infer({"face": faces})["probabilities"]
            np.testing.assert_allclose(found, expected, atol=1e-5)
            assert found.dtype == np.float32
            kept.append((found, expected))
        for found, expected in kept:
            np.testing.assert_allclose(found, expected, atol=1e-5)
        assert driver.count("allocate") == driver.count("pin") == 0
    ours.close()


def test_a_run_without_graphs_gives_the_same(
    driver: Driver, onnx: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*words: object) -> None:
        raise execution.CaptureFailed("CUDA error 900")

    monkeypatch.setattr(execution, "capture", refuse)
    faces = np.ones((3, 1, 8, 8), np.float32)
    with (
        open_backend(write_engine(onnx, tmp_path / "e.engine"), "tensorrt") as ours,
        open_backend(onnx, "onnxruntime") as plain,
    ):
        driver.log.clear()
        found = ours.infer({"face": faces})["probabilities"]
        assert driver.count("execute") == 1
        assert driver.count("replay") == 0
        np.testing.assert_allclose(found, plain.infer({"face": faces})["probabilities"], atol=1e-5)


def test_auto_takes_it_for_an_engine(driver: Driver, onnx: Path, tmp_path: Path) -> None:
    engine = write_engine(onnx, tmp_path / "e.engine")
    assert choose_backend("auto", engine) == "tensorrt"
    open_backend(engine).close()
    with pytest.raises(BackendUnavailable, match=r"which onnxruntime does not run; take --backend"):
        open_backend(engine, "onnxruntime")


def test_auto_takes_it_for_an_onnx_file_only_where_all_is_there(
    onnx: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FER_EDGE_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(gpu_module, "present_gpu", lambda: THIS_GPU)
    assert choose_backend("auto", onnx) != "tensorrt"
    key = CacheKey(sha256_of(onnx), VERSION, THIS_GPU, "fp32", EngineOptions("tensorrt"))
    keep(cached_path(onnx, key), b"engine")
    assert choose_backend("auto", onnx) == "tensorrt"
    monkeypatch.setattr(gpu_module, "present_gpu", lambda: None)
    assert choose_backend("auto", onnx) != "tensorrt"
    monkeypatch.setattr(gpu_module, "present_gpu", lambda: THIS_GPU)
    monkeypatch.setitem(BACKENDS, "tensorrt", replace(BACKENDS["tensorrt"], also=("no_such",)))
    assert choose_backend("auto", onnx) != "tensorrt"


def test_an_engine_that_the_library_refuses_gives_its_reason(
    driver: Driver, onnx: Path, tmp_path: Path
) -> None:
    path = write_engine(onnx, tmp_path / "e.engine")
    engine = read_engine(path)
    path.write_bytes(to_bytes(engine.facts, engine.engine, b"refused"))
    with pytest.raises(BadInput, match=r"cannot load it \(the plan is of no use\); rebuild with"):
        open_backend(path)


def test_a_full_gpu_is_told(
    driver: Driver, onnx: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from .. import stand_in

    monkeypatch.setattr(stand_in.Engine, "create_execution_context", lambda self: None)
    with pytest.raises(BackendUnavailable, match=r"Stand-in: TensorRT cannot prepare .*full\?"):
        open_backend(write_engine(onnx, tmp_path / "e.engine"))


def test_a_run_that_fails_is_told_and_leaves_nothing(
    driver: Driver, onnx: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Context, "execute_async_v3", lambda self, handle: False)
    with pytest.raises(BadInput, match="TensorRT failed"):
        open_backend(write_engine(onnx, tmp_path / "e.engine"))


def test_a_detector_has_two_outputs_in_one_copy(driver: Driver, tmp_path: Path) -> None:
    onnx = write_detector(tmp_path / "d.onnx")
    image = np.zeros((1, 3, 32, 32), np.float32)
    with open_backend(write_engine(onnx, tmp_path / "d.engine")) as backend:
        driver.log.clear()
        found = backend.infer({"image": image})
        assert found["boxes"].tolist() == [[[0.0, 0.0, 0.5, 0.5]]]
        assert found["scores"] == pytest.approx(0.9)
        assert driver.count("upload") == 1
        with pytest.raises(BadInput, match="no tensor 'face'; it has image"):
            backend.infer({"face": image})


@pytest.fixture
def open_onnx(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A detector whose size is open, on a machine with the full TensorRT and an empty cache."""
    monkeypatch.setenv("FER_EDGE_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(find, "installed_target", lambda: "tensorrt")
    see = InputFacts("image", 160, 128, "bgr", "letterbox", (9.0, 0.0, 5.0), (0.1, 0.2, 0.3), 32)
    return write_mirror(tmp_path / "d.onnx", detector_facts(input=see))


def test_an_open_size_gets_an_engine_when_it_is_asked_for(driver: Driver, open_onnx: Path) -> None:
    image = np.random.default_rng(0).integers(0, 256, (200, 333, 3), np.uint8)
    with (
        open_backend(open_onnx, "tensorrt") as ours,
        Exact(open_backend(open_onnx, "onnxruntime")) as plain,
    ):
        assert ours.facts == plain.facts
        assert not driver.count("build")
        for width, height in ((160, 128), (256, 160), (128, 128), (160, 128)):
            see = ours.facts.input.of_size(width, height)
            found, expected = ours.infer_frame(image, see), plain.infer_frame(image, see)
            assert found["boxes"].shape == (1, 3, height, width)
            for name, value in expected.items():
                np.testing.assert_allclose(found[name], value, atol=1e-3)
        built = [entry[1] for entry in driver.log if entry[0] == "build"]
        assert built == [(1, 3, 128, 160), (1, 3, 160, 256), (1, 3, 128, 128)]
        # The file's own size.
        assert ours.infer_frame(image)["boxes"].shape == (1, 3, 160, 128)
        with pytest.raises(BadInput, match=r"160x129 is not in steps of 32"):
            ours.infer({"image": np.zeros((1, 3, 129, 160), np.float32)})
    # In the cache, so that another run only loads them.
    driver.log.clear()
    with open_backend(open_onnx, "tensorrt") as ours:
        ours.infer_frame(image, ours.facts.input.of_size(256, 160))
    assert not driver.count("build")


def test_engines_of_sizes_not_asked_for_any_more_give_their_memory_back(
    driver: Driver, open_onnx: Path
) -> None:
    image = np.zeros((200, 333, 3), np.uint8)
    with open_backend(open_onnx, "tensorrt") as ours:
        for side in [*range(4, 4 + KEPT + 2), 4]:
            ours.infer_frame(image, ours.facts.input.of_size(32 * side, 128))
            assert len(driver.memories) <= 2 * KEPT
        assert driver.count("build") == KEPT + 2


def test_an_engine_is_of_its_size_alone(driver: Driver, open_onnx: Path, tmp_path: Path) -> None:
    engine = write_engine(open_onnx, tmp_path / "d.engine", size=(256, 160))
    with open_backend(engine) as ours:
        see = ours.facts.input
        assert (see.width, see.height, see.step) == (256, 160, 0)
        assert ours.infer_frame(np.zeros((9, 9, 3), np.uint8))["boxes"].shape == (1, 3, 160, 256)
        with pytest.raises(BadInput, match="the network takes 256x160 only"):
            see.of_size(160, 128)


def test_without_a_library_an_open_size_is_refused_at_once(
    driver: Driver, open_onnx: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def missing() -> None:
        raise BackendUnavailable("neither is installed")

    monkeypatch.setattr(find, "installed_target", missing)
    with pytest.raises(BackendUnavailable, match="neither is installed"):
        open_backend(open_onnx, "tensorrt")


def test_on_a_machine_without_a_gpu_one_line_says_so(
    onnx: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from fer_edge.engine.cuda import device

    monkeypatch.setattr(device, "_opened", None)
    monkeypatch.setattr(device, "present_gpu", lambda: None)
    with pytest.raises(BackendUnavailable, match="no NVIDIA GPU or driver here"):
        open_backend(onnx, "tensorrt")


def test_the_table_tells_what_is_missing() -> None:
    entry = replace(BACKENDS["tensorrt"], libraries=(("no_such", "x"), ("also_none", "y")))
    assert entry.installed_version() is None
