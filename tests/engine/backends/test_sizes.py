from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from fer_edge.engine.backends.sizes import BySize
from fer_edge.engine.model import InputFacts

ANY = InputFacts("image", 128, 128, "gray", "letterbox", (0.0,), (1.0,), 32)


@given(st.lists(st.integers(4, 9), max_size=30), st.integers(1, 3))
def test_the_sizes_asked_for_last_are_kept(sides: list[int], kept: int) -> None:
    made: list[int] = []

    def make(facts: InputFacts) -> int:
        made.append(facts.width)
        open_now.append(facts.width)
        return facts.width

    open_now: list[int] = []
    by_size = BySize(make, kept, open_now.remove)
    used: list[int] = []
    for side in sides:
        width = 32 * side
        before = len(made)
        assert by_size(ANY.of_size(width, 128)) == width
        assert (len(made) == before) == (width in used[-kept:])
        used = [other for other in used if other != width] + [width]
        assert sorted(open_now) == sorted(used[-kept:])
    by_size.clear()
    assert not open_now
