from __future__ import annotations

from pathlib import Path

import pytest

from fer_edge.engine.folders import cache_folder


def test_the_folder_is_where_the_user_keeps_caches(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FER_EDGE_CACHE", str(tmp_path / "own"))
    assert cache_folder() == tmp_path / "own"
    monkeypatch.delenv("FER_EDGE_CACHE")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    assert cache_folder() == tmp_path / "cache" / "fer-edge"
    monkeypatch.setenv("HOME", str(tmp_path))
    for word in ("", "relative/path"):
        monkeypatch.setenv("XDG_CACHE_HOME", word)
        assert cache_folder() == tmp_path / ".cache" / "fer-edge"


def test_a_user_without_a_home_has_one_among_the_temporary_files(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def no_home() -> Path:
        raise RuntimeError("Could not determine home directory.")

    monkeypatch.delenv("FER_EDGE_CACHE")
    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    monkeypatch.setattr(Path, "home", no_home)
    assert cache_folder().is_absolute()
    assert cache_folder().name.startswith("fer-edge-")
