"""One thing for each of the few sizes that a network is asked for."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from typing import Generic, TypeVar

from ..model import InputFacts

Thing = TypeVar("Thing")
# Two sizes may take turns, for far and for near faces, in frames of four shapes.
KEPT = 8


class BySize(Generic[Thing]):
    """What was made for the input sizes asked for last.

    Args:
        make: makes it for an input of a size.
        kept: how many there are at most; the one not asked for longest goes first.
        close: what is to be done with one that goes.
    """

    def __init__(
        self,
        make: Callable[[InputFacts], Thing],
        kept: int = KEPT,
        close: Callable[[Thing], None] = lambda thing: None,
    ) -> None:
        self._make = make
        self._close = close
        self._kept = kept
        self._made: OrderedDict[tuple[int, int], Thing] = OrderedDict()

    def __call__(self, facts: InputFacts) -> Thing:
        """What belongs to an input of this width and height, made now if need be."""
        size = facts.width, facts.height
        if size in self._made:
            self._made.move_to_end(size)
            return self._made[size]
        while len(self._made) >= self._kept:
            self._close(self._made.popitem(last=False)[1])
        self._made[size] = self._make(facts)
        return self._made[size]

    def clear(self) -> None:
        """Forget all of them."""
        while self._made:
            self._close(self._made.popitem(last=False)[1])
