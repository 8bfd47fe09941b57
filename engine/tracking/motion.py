"""Where a face that is out of sight may be: where it was, or where it was going."""

from __future__ import annotations

from dataclasses import dataclass, replace
from math import exp

from .base import Box

# Time constant of the mean velocity.
MEAN_S = 0.2


@dataclass(frozen=True)
class Motion:
    """The last sure place of a face, and how it moved there.

    Attributes:
        box: `(x, y, w, h)` in pixels.
        time_s: of the frame that it was there in.
        velocity: of its middle, in pixels a second, the exponential mean over `MEAN_S`.
    """

    box: Box
    time_s: float
    velocity: tuple[float, float] = (0.0, 0.0)

    def followed(self, box: Box, time_s: float) -> Motion:
        """The motion after it was followed to a place."""
        seconds = time_s - self.time_s
        if seconds <= 0:
            return replace(self, box=box)
        news = 1 - exp(-seconds / MEAN_S)
        (x, y), (then_x, then_y), (across, down) = _middle(box), _middle(self.box), self.velocity
        across += news * ((x - then_x) / seconds - across)
        down += news * ((y - then_y) / seconds - down)
        return Motion(box, time_s, (across, down))

    def seen(self, box: Box, time_s: float) -> Motion:
        """The motion of a face that a detection found, maybe beside its followed box."""
        return Motion(box, time_s, self.velocity)

    def expected(self, time_s: float) -> Box:
        """Its box if it has gone on as it moved."""
        x, y, w, h = self.box
        seconds = time_s - self.time_s
        return x + self.velocity[0] * seconds, y + self.velocity[1] * seconds, w, h


def _middle(box: Box) -> tuple[float, float]:
    x, y, w, h = box
    return x + w / 2, y + h / 2
