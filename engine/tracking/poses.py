"""Where a template lies in a frame."""

from __future__ import annotations

from math import cos, sin
from typing import NamedTuple


class Pose(NamedTuple):
    """Position, size and tilt of a template.

    A point `u` of a template, in template pixels from its centre, lies at
    `(x, y) + scale * R(angle) @ u` in the frame.

    Attributes:
        x, y: of the centre, in pixels of the frame.
        scale: pixels of the frame a template pixel.
        angle: in radians, clockwise as one sees the picture.
    """

    x: float
    y: float
    scale: float
    angle: float

    def moved(self, across: float, down: float, growth: float = 0.0, turn: float = 0.0) -> Pose:
        """The pose after a step in the template's own coordinates.

        Args:
            across, down: in template pixels.
            growth: relative change of the scale.
            turn: in radians.
        """
        x, y = self.to_frame(across, down)
        return Pose(x, y, self.scale * (1 + growth), self.angle + turn)

    def to_frame(self, across: float, down: float) -> tuple[float, float]:
        """A point of the template, in pixels of the frame."""
        c, s = self.scale * cos(self.angle), self.scale * sin(self.angle)
        return self.x + c * across - s * down, self.y + s * across + c * down

    def to_template(self, x: float, y: float) -> tuple[float, float]:
        """A place in the frame, in template pixels from the template's centre."""
        c, s = cos(self.angle) / self.scale, sin(self.angle) / self.scale
        return c * (x - self.x) + s * (y - self.y), c * (y - self.y) - s * (x - self.x)
