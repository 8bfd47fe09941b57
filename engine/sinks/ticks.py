"""At which ticks of a file's clock its pictures stand; pure functions of their times."""

from __future__ import annotations

# A longer pause of equal pictures is left to the container, without pictures of its own.
LONGEST_STILL_S = 10.0
# As much as AVI leaves out at a time is 60,000 pictures.
LONGEST_GAP = 50_000


class OwnTicks:
    """Each picture at its own time, and none before another.

    Args:
        clock: ticks a second.
        fps: from how many pictures a second a picture's length is taken, where times go back
            because their source has begun anew.
    """

    def __init__(self, clock: float, fps: float) -> None:
        self.period_s = 1 / fps
        self._clock = clock
        self._last = -1
        self._asked = 0
        self._shift = 0

    def of(self, time_s: float) -> range:
        """The ticks of the next picture, here one."""
        at = round(time_s * self._clock) + self._shift
        if self._is_of_another_clock(at):
            following = self._last + max(1, round(self.period_s * self._clock))
            self._shift += following - at
            at = following
        self._asked = at
        self._last = max(at, self._last + 1)
        return range(self._last, self._last + 1)

    def _is_of_another_clock(self, at: int) -> bool:
        return at < self._asked


class EqualTicks(OwnTicks):
    """Pictures that all stand for one tick, repeated where their source was slower.

    Args:
        fps: ticks a second.
    """

    def __init__(self, fps: float) -> None:
        super().__init__(fps, fps)

    def of(self, time_s: float) -> range:
        """The ticks of the next picture, one or more."""
        before = self._last
        at = super().of(time_s)[0]
        return range(before + 1 if at - before <= LONGEST_STILL_S * self._clock else at, at + 1)

    def _is_of_another_clock(self, at: int) -> bool:
        return super()._is_of_another_clock(at) or at - self._last > LONGEST_GAP
