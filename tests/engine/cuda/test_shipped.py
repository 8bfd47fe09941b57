from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fer_edge.engine.cuda.compile import ARCHITECTURES, SOURCES
from fer_edge.engine.cuda.shipped import ptx_for
from fer_edge.engine.errors import BackendUnavailable


@pytest.mark.parametrize(
    ("capability", "architecture"),
    [
        ("6.1", "61"), ("6.2", "61"), ("7.0", "61"), ("7.2", "61"), ("7.5", "75"),
        ("8.0", "75"), ("8.6", "86"), ("8.7", "86"), ("8.9", "86"), ("9.0", "90"),
        ("10.0", "90"), ("12.0", "90"), ("12.1", "90"),
    ],
)  # fmt: skip
def test_a_gpu_takes_the_newest_that_it_knows(capability: str, architecture: str) -> None:
    for name in SOURCES:
        assert ptx_for(name, capability).name == f"{name}_{architecture}.ptx"


@given(major=st.integers(1, 30), minor=st.integers(0, 9))
def test_never_one_that_is_newer_than_the_gpu(major: int, minor: int) -> None:
    number = 10 * major + minor
    if number < min(map(int, ARCHITECTURES)):
        with pytest.raises(BackendUnavailable, match=rf"{major}\.{minor}; 6\.1 or later"):
            ptx_for("kernels", f"{major}.{minor}")
        return
    path = ptx_for("kernels", f"{major}.{minor}")
    assert path.is_file()
    assert int(path.stem.removeprefix("kernels_")) <= number
