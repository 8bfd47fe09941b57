"""Which layers stay out of int8."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping

Excess = Callable[[Collection[str]], float]
"""What it costs to have these layers in int8, in parts of what is allowed."""


def layers_to_keep(macs: Mapping[str, int], quick: Excess, excess: Excess) -> tuple[str, ...]:
    """The fewest layers that have to stay out of int8, most harmful first.

    Each layer is tried alone, and ranked by what it costs for what it computes. How many have
    to stay out is found by bisection, as the excess falls with their number.

    Args:
        macs: multiplications of each layer.
        quick: the excess, on a few inputs.
        excess: the excess, on all inputs; up to 1 is allowed.
    """
    names = list(macs)
    if excess(names) <= 1:
        return ()
    alone = {name: quick([name]) for name in names}
    # What even the most harmless layer shows is not of its making.
    floor = min(alone.values())
    ranked = sorted(names, key=lambda name: -(alone[name] - floor) / max(macs[name], 1))
    too_few, enough = 0, len(names)
    while enough - too_few > 1:
        # Most networks need few: look there first.
        middle = too_few + max(1, (enough - too_few) // 3)
        if excess(ranked[middle:]) <= 1:
            enough = middle
        else:
            too_few = middle
    return tuple(ranked[:enough])
