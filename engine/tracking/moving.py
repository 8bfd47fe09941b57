"""What belongs to a face moves, grows and turns with it: a detection of a past frame, landmarks."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import cos, sin, sqrt

from ..types import Points
from .base import Box, Place


@dataclass(frozen=True)
class Landmarks:
    """Points of a face, kept relative to its box.

    Attributes:
        points: `(across, down)` from the middle of the box, in its mean sides.
        angle: of the face's place when they were detected; see `Place`.
    """

    points: Points
    angle: float

    @classmethod
    def of(cls, points: Sequence[Sequence[float]], box: Box, angle: float) -> Landmarks:
        """Landmarks that were detected with a box.

        Args:
            points: `(x, y)` in pixels of the frame.
            box: `(x, y, w, h)` in pixels, with an area.
            angle: of the face's place in that frame.
        """
        (middle_x, middle_y), side = _middle(box), _side(box)
        relative = (((x - middle_x) / side, (y - middle_y) / side) for x, y in points)
        return cls(tuple(relative), angle)

    def at(self, place: Place) -> Points:
        """Where they are when the face is at a place, in pixels of the frame."""
        (middle_x, middle_y), side = _middle(place.box), _side(place.box)
        turn = place.angle - self.angle
        c, s = side * cos(turn), side * sin(turn)
        return tuple(
            (middle_x + c * across - s * down, middle_y + s * across + c * down)
            for across, down in self.points
        )


def brought_forward(box: Box, then: Place, now: Place) -> Box:
    """Where `box` would be now if it had moved as a face did.

    A box stays upright, as those of a follower do; what lies beside the face turns around it.

    Args:
        box: in the frame of then.
        then: where the face was.
        now: where it is.
    """
    growth = now.box[2] / then.box[2], now.box[3] / then.box[3]
    (x, y), (then_x, then_y), (now_x, now_y) = map(_middle, (box, then.box, now.box))
    across, down = (x - then_x) * growth[0], (y - then_y) * growth[1]
    c, s = cos(now.angle - then.angle), sin(now.angle - then.angle)
    w, h = box[2] * growth[0], box[3] * growth[1]
    return (
        now_x + c * across - s * down - w / 2,
        now_y + s * across + c * down - h / 2,
        w,
        h,
    )


def _middle(box: Box) -> tuple[float, float]:
    x, y, w, h = box
    return x + w / 2, y + h / 2


def _side(box: Box) -> float:
    return sqrt(box[2] * box[3])
