from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fer_edge.engine.errors import BadInput
from fer_edge.engine.tensorrt.buffers import (
    ALIGNMENT,
    Tensor,
    batches_of,
    block_of,
    number_type,
)

kinds = st.sampled_from(["FLOAT", "HALF", "INT32", "INT64"])
shapes = st.tuples(st.sampled_from([-1, 1, 3]), st.integers(1, 9), st.integers(1, 9))


@given(wanted=st.lists(st.tuples(kinds, shapes), max_size=5), largest=st.integers(1, 20))
def test_tensors_lie_apart_and_aligned(
    wanted: list[tuple[str, tuple[int, ...]]], largest: int
) -> None:
    tensors = tuple(
        Tensor(f"t{n}", False, number_type(kind, "t"), shape)
        for n, (kind, shape) in enumerate(wanted)
    )
    block = block_of(tensors, largest)
    memory = np.zeros(block.size, np.uint8)
    for number, tensor in enumerate(tensors, 1):
        view = block.view(memory, tensor.name, largest)
        assert view.shape == tensor.shape_of(largest)
        assert view.dtype == tensor.dtype
        assert block.offset(tensor.name) % ALIGNMENT == 0
        assert not view.any(), "two tensors overlap"
        view[...] = number
    for number, tensor in enumerate(tensors, 1):
        assert (block.view(memory, tensor.name, 1) == number).all()


def test_only_a_batch_may_be_open() -> None:
    tensor = Tensor("t", True, np.dtype(np.float32), (-1, 1, 48, 48))
    assert tensor.shape_of(5) == (5, 1, 48, 48)
    assert tensor.bytes_of(5) == 5 * 48 * 48 * 4
    assert Tensor("t", True, np.dtype(np.float16), (1, 200)).bytes_of(7) == 400
    for shape in ((1, -1), (-2, 3), (1, 0)):
        with pytest.raises(BadInput, match="only a batch may be open"):
            Tensor("t", True, np.dtype(np.float32), shape)


def test_what_is_not_there_is_named() -> None:
    block = block_of((Tensor("a", True, np.dtype(np.float32), (1,)),), 1)
    with pytest.raises(BadInput, match="no tensor 'b'; it has a"):
        block.offset("b")
    with pytest.raises(BadInput, match="tensor x is BF16"):
        number_type("BF16", "x")


@given(count=st.integers(1, 200), sizes=st.tuples(st.integers(1, 16), st.integers(0, 16)))
def test_every_thing_is_in_a_batch_that_the_engine_takes(
    count: int, sizes: tuple[int, int]
) -> None:
    least, largest = sizes[0], sizes[0] + sizes[1]
    batches = batches_of(count, least, largest)
    assert sum(things for things, _ in batches) == count
    for things, batch in batches:
        assert 1 <= things <= batch
        assert least <= batch <= largest
