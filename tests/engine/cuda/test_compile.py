from __future__ import annotations

import re
from pathlib import Path

import pytest

from fer_edge.engine.cuda import compile
from fer_edge.engine.cuda.compile import (
    ARCHITECTURES,
    SOURCES,
    compile_ptx,
    ptx_path,
    source_mark,
)
from fer_edge.engine.errors import BackendUnavailable, BadInput

KERNELS = {
    "kernels": [
        f"{name}_{kind}"
        for name in (
            "frame_from_bgr", "frame_from_nv12", "letterbox_from_bgr", "letterbox_from_nv12",
            "faces_from_bgr",
        )
        for kind in ("fp32", "fp16")
    ],
    "kcf": [
        f"kcf_{name}"
        for name in (
            "cut_patches", "cut_faces", "rows_forward", "columns_filtered", "columns_back",
            "rows_back", "ridges", "peaks", "columns_learnt", "blend", "normals", "products",
        )
    ],
}  # fmt: skip


def compiled(name: str, source: str, architecture: str) -> str:
    try:
        return compile_ptx(name, source, architecture)
    except BackendUnavailable as error:
        pytest.skip(str(error))


def code(ptx: str) -> list[str]:
    """Without comments: they name the compiler's build, which differs between machines."""
    return [line for line in ptx.splitlines() if line and not line.startswith("//")]


@pytest.mark.parametrize("name", SOURCES)
@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_the_shipped_ptx_was_made_of_the_source(name: str, architecture: str) -> None:
    text = ptx_path(name, architecture).read_text()
    assert text.splitlines()[0] == source_mark(name, SOURCES[name].read_text()), (
        f"{name}.cu was changed: run python -m fer_edge.engine.cuda.compile"
    )
    assert f".target sm_{architecture}" in text
    assert set(re.findall(r"\.entry (\w+)\(", text)) == set(KERNELS[name])


@pytest.mark.parametrize("name", SOURCES)
@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_the_compiler_makes_the_same_again(name: str, architecture: str) -> None:
    made = compiled(name, SOURCES[name].read_text(), architecture)
    assert code(made) == code(ptx_path(name, architecture).read_text())


def test_ptx_is_replaced_whole_or_not_at_all(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(compile, "PTX_FOLDER", tmp_path / "ptx")
    made_up = lambda name, source, architecture: f"{name} {architecture}\n"  # noqa: E731
    monkeypatch.setattr(compile, "compile_ptx", made_up)
    assert compile.main() == 0
    made = sorted(path.name for path in (tmp_path / "ptx").iterdir())
    assert made == sorted(f"{name}_{number}.ptx" for name in SOURCES for number in ARCHITECTURES)
    before = {path.name: path.read_text() for path in (tmp_path / "ptx").iterdir()}

    def refuse(name: str, source: str, architecture: str) -> str:
        if (name, architecture) == ([*SOURCES][-1], ARCHITECTURES[-1]):
            raise BadInput("line 3: no")
        return "new"

    monkeypatch.setattr(compile, "compile_ptx", refuse)
    assert compile.main() == 2
    assert capsys.readouterr().err == "line 3: no\n"
    assert {path.name: path.read_text() for path in (tmp_path / "ptx").iterdir()} == before


def test_without_the_compiler_one_line_says_how_to_get_it(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(compile, "find_spec", lambda name: None)
    assert compile.main() == 2
    assert "pip install nvidia-cuda-nvrtc-cu12" in capsys.readouterr().err


def test_a_mistake_comes_with_the_compiler_s_words() -> None:
    with pytest.raises(BadInput, match=r"compute_86: .*error.*undefined"):
        compiled("kernels", "__global__ void f() { nothing(); }", "86")
    with pytest.raises(BadInput, match="compute_1"):
        compiled("kernels", "", "1")
