from __future__ import annotations

from pathlib import Path

import pytest

from fer_edge.engine.cuda import compile
from fer_edge.engine.cuda.compile import (
    ARCHITECTURES,
    SOURCE,
    compile_ptx,
    ptx_path,
    source_mark,
)
from fer_edge.engine.errors import BackendUnavailable, BadInput

KERNELS = [
    f"{name}_{kind}"
    for name in ("frame_from_bgr", "frame_from_nv12", "faces_from_bgr")
    for kind in ("fp32", "fp16")
]


def compiled(source: str, architecture: str) -> str:
    try:
        return compile_ptx(source, architecture)
    except BackendUnavailable as error:
        pytest.skip(str(error))


def code(ptx: str) -> list[str]:
    """Without comments: they name the compiler's build, which differs between machines."""
    return [line for line in ptx.splitlines() if line and not line.startswith("//")]


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_the_shipped_ptx_was_made_of_the_source(architecture: str) -> None:
    text = ptx_path(architecture).read_text()
    assert text.splitlines()[0] == source_mark(SOURCE.read_text()), (
        "kernels.cu was changed: run python -m fer_edge.engine.cuda.compile"
    )
    assert f".target sm_{architecture}" in text
    for name in KERNELS:
        assert f".entry {name}(" in text


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_the_compiler_makes_the_same_again(architecture: str) -> None:
    source = SOURCE.read_text()
    assert code(compiled(source, architecture)) == code(ptx_path(architecture).read_text())


def test_ptx_is_replaced_whole_or_not_at_all(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(compile, "PTX_FOLDER", tmp_path / "ptx")
    monkeypatch.setattr(compile, "compile_ptx", lambda source, architecture: f"{architecture}\n")
    assert compile.main() == 0
    made = sorted(path.name for path in (tmp_path / "ptx").iterdir())
    assert made == [f"kernels_{architecture}.ptx" for architecture in ARCHITECTURES]
    before = {path.name: path.read_text() for path in (tmp_path / "ptx").iterdir()}

    def refuse(source: str, architecture: str) -> str:
        if architecture == ARCHITECTURES[-1]:
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
        compiled("__global__ void f() { nothing(); }", "86")
    with pytest.raises(BadInput, match="compute_1"):
        compiled("", "1")
