"""Engines that are kept: under which name, who can read them, and what a crash leaves."""

from __future__ import annotations

import os
from dataclasses import fields, replace
from pathlib import Path

import pytest

from fer_edge.engine.cuda.gpu import GPU
from fer_edge.engine.errors import OutputNotWritable
from fer_edge.engine.tensorrt import cache
from fer_edge.engine.tensorrt.cache import CacheKey, cached_path, has_engine_of, keep
from fer_edge.engine.tensorrt.options import EngineOptions

KEY = CacheKey(
    "ab" * 32, "10.9.0.34", GPU("RTX 4090", "8.9", "580.65"), "fp16", EngineOptions("tensorrt")
)
ONNX = Path("models/face.onnx")


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("FER_EDGE_CACHE", str(tmp_path / "cache"))
    return tmp_path


OTHER_GPUS = {"name": "RTX 4060", "capability": "8.6", "driver": "581.1"}
OTHER_OPTIONS = {
    "target": "tensorrt-rtx", "batch": (1, 1, 1), "capabilities": ("7.5",), "size": (320, 256),
    "workspace_mib": 5, "timing_cache": Path("t"), "version_compatible": True,
    "hardware_compatible": True,
}  # fmt: skip


def test_whatever_changes_the_bytes_changes_the_name(monkeypatch: pytest.MonkeyPatch) -> None:
    others = [
        replace(KEY, onnx_sha256="cd" * 32),
        replace(KEY, version="10.9.0.35"),
        replace(KEY, precision="int8"),
    ]
    others += [replace(KEY, gpu=replace(KEY.gpu, **{k: v})) for k, v in OTHER_GPUS.items()]
    for name, value in OTHER_OPTIONS.items():
        options = replace(KEY.options)
        # Not every pair of target and option can be built; each is part of the name.
        object.__setattr__(options, name, value)
        others.append(replace(KEY, options=options))
    assert set(OTHER_GPUS) == {field.name for field in fields(GPU)}
    assert set(OTHER_OPTIONS) == {field.name for field in fields(EngineOptions)}
    names = {cached_path(ONNX, key).name for key in [KEY, *others]}
    assert len(names) == 1 + len(others)
    assert cached_path(ONNX, KEY) == cached_path(ONNX, replace(KEY))
    before = KEY.digest()
    monkeypatch.setattr(cache, "RECIPE", 0)
    assert KEY.digest() != before


def test_only_the_user_can_read_what_is_kept() -> None:
    path = cached_path(ONNX, KEY)
    previous = os.umask(0)
    try:
        keep(path, b"engine")
    finally:
        os.umask(previous)
    assert path.read_bytes() == b"engine"
    assert path.stat().st_mode & 0o777 == 0o600
    assert path.parent.stat().st_mode & 0o777 == 0o700
    keep(path, b"newer")
    assert path.read_bytes() == b"newer"
    assert [file.name for file in path.parent.iterdir()] == [path.name]


def test_a_folder_that_others_write_to_is_refused() -> None:
    path = cached_path(ONNX, KEY)
    path.parent.mkdir(parents=True)
    path.parent.chmod(0o777)
    with pytest.raises(OutputNotWritable, match=r"others may write to it.*chmod 700"):
        keep(path, b"engine")
    path.parent.chmod(0o755)
    keep(path, b"engine")
    assert path.parent.stat().st_mode & 0o777 == 0o700


def test_a_folder_of_another_user_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "getuid", lambda: 12345)
    with pytest.raises(OutputNotWritable, match="belongs to another user"):
        keep(cached_path(ONNX, KEY), b"engine")


def test_a_build_that_breaks_off_leaves_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    path = cached_path(ONNX, KEY)
    keep(path, b"whole")

    def crash(descriptor: int) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(os, "fsync", crash)
    with pytest.raises(KeyboardInterrupt):
        keep(path, b"half")
    assert path.read_bytes() == b"whole"
    assert [file.name for file in path.parent.iterdir()] == [path.name]


def test_a_cache_that_cannot_be_made_is_told(home: Path) -> None:
    (home / "cache").write_text("a file")
    with pytest.raises(OutputNotWritable, match="cannot be written"):
        keep(cached_path(ONNX, KEY), b"engine")


def test_an_engine_is_known_by_its_onnx_file() -> None:
    assert not has_engine_of(ONNX, KEY.onnx_sha256)
    keep(cached_path(ONNX, KEY), b"engine")
    assert has_engine_of(ONNX, KEY.onnx_sha256)
    assert not has_engine_of(ONNX, "cd" * 32)
    assert not has_engine_of(Path("other.onnx"), KEY.onnx_sha256)
