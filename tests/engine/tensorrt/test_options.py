from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fer_edge.engine.errors import BadInput
from fer_edge.engine.tensorrt.options import (
    EngineOptions,
    parse_batch,
    parse_capabilities,
    parse_sizes,
)


@given(st.lists(st.integers(1, 256), min_size=3, max_size=3).map(sorted))
def test_batches_are_read_as_written(batch: list[int]) -> None:
    low, best, high = batch
    assert parse_batch(f"{low}:{best}:{high}") == (low, best, high)
    assert EngineOptions("tensorrt", (low, best, high)).batch == (low, best, high)
    assert parse_batch(str(low)) == (low, low, low)


@pytest.mark.parametrize("text", ["", "a", "1:2", "1:2:3:4", "1::3"])
def test_what_is_no_batch_is_refused(text: str) -> None:
    with pytest.raises(BadInput, match="MIN:OPT:MAX"):
        parse_batch(text)


def test_compute_capabilities_in_both_spellings() -> None:
    assert parse_capabilities("75, 8.6,120,75") == ("7.5", "8.6", "12.0")
    for text in ("", "8", "sm_86", "75;86", "12.0.1"):
        with pytest.raises(BadInput, match="as 75,86,120"):
            parse_capabilities(text)


def test_sizes_are_a_list() -> None:
    assert parse_sizes("320x256") == ((320, 256),)
    assert parse_sizes("640X480, 320x256,640x480") == ((640, 480), (320, 256))
    for text in ("", "320", "320x256,", "320x256x3", "axb"):
        with pytest.raises(BadInput, match="give it as 320x256"):
            parse_sizes(text)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"batch": (4, 2, 8)}, "rising"),
        ({"batch": (0, 1, 2)}, "rising"),
        ({"batch": (1, 2, 999)}, "1 to 256"),
        ({"workspace_mib": 0}, "workspace 0"),
        ({"capabilities": ("8.6",)}, "TensorRT has no --sm"),
    ],
)
def test_what_makes_no_sense_is_refused(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(BadInput, match=message):
        EngineOptions("tensorrt", **changes)


@pytest.mark.parametrize(
    ("changes", "name"),
    [
        ({"timing_cache": Path("x")}, "--timing-cache"),
        ({"hardware_compatible": True}, "--hardware-compatible"),
        ({"version_compatible": True}, "--version-compatible"),
    ],
)
def test_what_rtx_does_not_have_is_named(changes: dict[str, Any], name: str) -> None:
    with pytest.raises(BadInput, match=f"TensorRT-RTX has no {name}"):
        EngineOptions("tensorrt-rtx", **changes)
