"""How large a detector's input has to be, so that faces from a given size on are found."""

from __future__ import annotations

import re
from dataclasses import dataclass
from math import ceil

from .errors import BadInput
from .model import LEAST_SIDE, DetectorFacts, InputFacts

# A picture that is enlarged by more shows a network nothing new.
MAX_ENLARGEMENT = 2.0
MAX_SIDE = 4096
# Height of the largest face to be found over the frame's shorter side: its chin and brow may be
# outside.
CLOSE_UP = 1.1


@dataclass(frozen=True)
class FaceSize:
    """A height of faces.

    Attributes:
        value: in pixels of the frame, or in percent of the frame's shorter side, which is
            its height but for portrait pictures.
        percent: which of the two.

    Raises:
        BadInput: not above 0, or above 100 percent.
    """

    value: float
    percent: bool = False

    def __post_init__(self) -> None:
        if not 0 < self.value < float("inf") or (self.percent and self.value > 100):
            raise BadInput(f"face size {self}: give pixels above 0, or a percentage up to 100%")

    @classmethod
    def parse(cls, text: str) -> FaceSize:
        """Read `24`, `24px` or `5%`.

        Raises:
            BadInput: anything else.
        """
        found = re.fullmatch(r"\s*(\d+(?:\.\d*)?)\s*(px|%)?\s*", text.lower(), re.ASCII)
        if not found:
            raise BadInput(f"face size {text!r}: give it as 24 (pixels) or 5%")
        return cls(float(found[1]), found[2] == "%")

    def pixels(self, shorter_side: int) -> float:
        """In pixels of a frame whose shorter side has so many."""
        return self.value * shorter_side / 100 if self.percent else self.value

    def __str__(self) -> str:
        return f"{self.value:g}{'%' if self.percent else ' px'}"


# What a detector with an input of 320x256 finds in a frame of 4:3.
SMALLEST_FACE = FaceSize(5, percent=True)


@dataclass(frozen=True)
class InputSizes:
    """Chooses the sizes of a detector's input for a frame.

    Attributes:
        min_face: how small a face has to be found.
        fixed: (width, height) of the input, whatever the frame's shape; None to derive it.
    """

    min_face: FaceSize = SMALLEST_FACE
    fixed: tuple[int, int] | None = None

    def check(self, see: InputFacts | None) -> None:
        """Refuse what changes nothing, or cannot be, for a detector with this input.

        Args:
            see: the network's input; None for a detector that is no network.

        Raises:
            BadInput: it is of one size, or `fixed` is no size that it takes.
        """
        if see is not None and self.fixed is not None:
            see.of_size(*self.fixed)
        idle = "--detect-size" if self.fixed is not None else "--min-face"
        if see is None and self != InputSizes():
            raise BadInput(f"{idle} changes nothing for a detector that is no network")
        if see is not None and not see.step and self.min_face != SMALLEST_FACE:
            raise BadInput(
                f"--min-face changes nothing: the detector sees all frames in "
                f"{see.width}x{see.height}"
            )

    def of(
        self, width: int, height: int, see: InputFacts, facts: DetectorFacts
    ) -> tuple[InputFacts, ...]:
        """The inputs in which the faces of a frame are looked for, the largest first.

        A network that loses faces above a size sees the frame in a second, smaller one where
        the first is so large that a close-up would be lost.

        Args:
            width, height: of the frame in pixels.
            see: the network's input.
            facts: the size of the faces that it finds.

        Raises:
            BadInput: `fixed` is no size that the network takes.
        """
        if self.fixed is not None:
            return (see.of_size(*self.fixed),)
        if not see.step or not facts.least_face:
            return (see,)
        shorter = min(width, height)
        scale = min(facts.least_face / self.min_face.pixels(shorter), MAX_ENLARGEMENT)
        scales = [scale]
        if facts.largest_face and CLOSE_UP * shorter * scale > facts.largest_face:
            scales.append(facts.largest_face / (CLOSE_UP * shorter))
        return tuple(see.of_size(*_size(width, height, one, see.step)) for one in scales)


def _size(width: int, height: int, scale: float, step: int) -> tuple[int, int]:
    """The least input that holds a scaled frame."""
    scale = min(scale, MAX_SIDE / max(width, height))
    return _side(width * scale, step), _side(height * scale, step)


def _side(length: float, step: int) -> int:
    # A hair above a whole step is rounding, not a wider frame.
    steps = ceil(length / step - 1e-6)
    return max(steps, ceil(LEAST_SIDE / step)) * step


def parse_size(text: str) -> tuple[int, int]:
    """Read (width, height) from `WxH`.

    Raises:
        BadInput: anything else.
    """
    try:
        width, height = (int(side) for side in text.lower().split("x"))
    except ValueError:
        raise BadInput(f"input size {text!r}: give it as 320x256") from None
    return width, height
