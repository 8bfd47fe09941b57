"""Which family is it? Told by the outputs' shapes, strides and activations, not by names."""

from __future__ import annotations

from collections.abc import Sequence

from fer_edge.engine.errors import BadInput

from . import centerface, retinaface, yunet
from .family import Family
from .structure import Output

_FAMILIES = (centerface, yunet, retinaface)
# So many outputs are shown of a network that is not known.
_SHOWN = 4


def recognise(outputs: Sequence[Output]) -> Family:
    """Find out what a network's outputs mean.

    Raises:
        BadInput: no face detector of the families that are known.
    """
    for family in _FAMILIES:
        found: Family | None = family.recognise(outputs)
        if found is not None:
            return found
    shapes = ", ".join(str(output.shape) for output in outputs[:_SHOWN])
    more = f" and {len(outputs) - _SHOWN} more" if len(outputs) > _SHOWN else ""
    expected = "; ".join(family.EXPECTED for family in _FAMILIES)
    raise BadInput(
        f"no face detector of a known family: its outputs for a picture of 320x256 are {shapes}"
        f"{more}. Expected {expected}"
    )
