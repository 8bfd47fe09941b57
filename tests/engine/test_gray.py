from __future__ import annotations

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fer_edge.engine.gray import GrayMemory, gray_of, shrunk


def picture(height: int, width: int) -> np.ndarray:
    return np.random.default_rng(height * width).integers(0, 256, (height, width, 3), np.uint8)


@given(st.integers(1, 70), st.integers(1, 70), st.integers(0, 4), st.integers(0, 4))
def test_any_picture_shrinks_to_whole_squares(h: int, w: int, level: int, skips: int) -> None:
    skips, memory = min(skips, level), GrayMemory()
    small = shrunk(gray_of(picture(h, w), skips, memory), level, skips, memory)
    rows = max(1, (h + (1 << skips) - 1 - ((1 << skips) >> 1)) >> skips)
    assert small.shape == (max(1, rows >> (level - skips)), max(1, w >> level))


@pytest.mark.parametrize("skips", [0, 1, 2])
def test_a_square_is_the_mean_of_the_rows_looked_at(skips: int) -> None:
    image, memory = picture(32, 48), GrayMemory()
    small = shrunk(gray_of(image, skips, memory), 2, skips, memory)
    gray = cv2.cvtColor(image, cv2.COLOR_BGR2GRAY)[(1 << skips) >> 1 :: 1 << skips]
    expected = gray.reshape(8, 4 >> skips, 12, 4).mean(axis=(1, 3))
    # Two roundings, half a grey level each.
    assert np.abs(small - expected).max() <= 1


def test_memory_is_used_again_and_is_never_too_small() -> None:
    memory = GrayMemory()
    memory.restart(100)
    first = memory.picture(5, 4)
    second = memory.picture(5, 4)
    assert not np.shares_memory(first, second)
    assert memory.picture(50, 40).shape == (40, 50)
    memory.restart(50)
    assert np.shares_memory(first, memory.picture(5, 4))
