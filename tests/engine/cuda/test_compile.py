from __future__ import annotations

import pytest

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
    made = f"{source_mark(source)}\n{compiled(source, architecture)}"
    assert made == ptx_path(architecture).read_text()


def test_a_mistake_comes_with_the_compiler_s_words() -> None:
    with pytest.raises(BadInput, match=r"compute_86: .*error.*undefined"):
        compiled("__global__ void f() { nothing(); }", "86")
    with pytest.raises(BadInput, match="compute_1"):
        compiled("", "1")
