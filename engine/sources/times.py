"""When a frame was: by the container's clock, or by the moment of its arrival."""

from __future__ import annotations

from time import perf_counter

FALLBACK_FPS = 30.0
# Times that go back by less are out of order; by more, another clock has begun, as in
# recordings that were joined or in a stream whose sender was started anew.
NEW_CLOCK_S = 1.0


def plausible_fps(*rates: float | None) -> float:
    """The first of some rates, in frames a second, that a camera or film can have.

    Recordings without a rate of their own call their clock's one: 1000 or 90,000.
    """
    return next((float(rate) for rate in rates if rate and 0.1 <= rate <= 240), FALLBACK_FPS)


class PresentationTimes:
    """Seconds from the first frame of a film to each of its frames, by the film's own clock.

    Zero is the presentation time of the first frame, whatever number the container gives it:
    1.4 s in many transport streams. The times never go back.

    Args:
        fps: frames a second, where the container says no time.
    """

    def __init__(self, fps: float) -> None:
        self._period_s = 1 / fps
        self._zero_s: float | None = None
        self._last_s = 0.0

    def of(self, presented_s: float | None) -> float:
        """The time of the next frame, whose time in the container is `presented_s`."""
        if self._zero_s is None:
            self._zero_s = presented_s or 0.0
            return 0.0
        following_s = self._last_s + self._period_s
        if presented_s is None:
            self._last_s = following_s
        else:
            if presented_s - self._zero_s < self._last_s - NEW_CLOCK_S:
                self._zero_s = presented_s - following_s
            self._last_s = max(self._last_s, presented_s - self._zero_s)
        return self._last_s


class ArrivalTimes:
    """Seconds from the arrival of the first frame to that of each."""

    def __init__(self) -> None:
        self._first_s: float | None = None

    def now(self) -> float:
        """The time of a frame that has just come."""
        now = perf_counter()
        if self._first_s is None:
            self._first_s = now
        return now - self._first_s
