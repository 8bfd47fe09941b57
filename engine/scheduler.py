"""Detect in this frame, or only follow? A decision from numbers; it knows no model and no clock."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from .errors import BadInput

Interval = int | Literal["auto"]

# A face that its follower is less sure of is looked at again before it is lost.
LEAST_CONFIDENCE = 0.4
# Frames between detections that a low confidence asks for: doubt may last.
DOUBT_EVERY = 3
# `auto`: frames from one detection to the next, and how far boxes may drift in between, as
# 1 - IoU of the followed box with the detected one.
AUTO_LEAST, AUTO_MOST = 3, 30
MAX_DRIFT = 0.15
# Share of the newest drift in the estimate.
_NEWS = 0.5


@dataclass(frozen=True)
class Situation:
    """What is known before the decision.

    Attributes:
        since_detection: frames since the last one that was detected in, 1 in the next one;
            None before the first.
        faces: followed in this frame, shown or not.
        lost: whether one was lost since the last detection, or missed by it.
        unconfirmed: whether one was detected only once.
        confidence: 0-1, the least of the followers'.
        cut: whether the scene has changed with this frame.
    """

    since_detection: int | None
    faces: int = 0
    lost: bool = False
    unconfirmed: bool = False
    confidence: float = 1.0
    cut: bool = False


class Schedule:
    """Detection every so many frames, and earlier where following is in trouble.

    With `auto` the interval follows the drift: drift is taken to grow evenly from one detection
    to the next, and the interval is the one at whose end it reaches `MAX_DRIFT`.

    Args:
        detect_every: frames from one detection to the next, or `auto`.

    Raises:
        BadInput: `detect_every` is below 1.
    """

    def __init__(self, detect_every: Interval = 10) -> None:
        if detect_every != "auto" and detect_every < 1:
            raise BadInput(f"detection every {detect_every} frames: give 1 or more, or auto")
        self._fixed = None if detect_every == "auto" else detect_every
        self._drift_a_frame: float | None = None

    @property
    def interval(self) -> int:
        """Frames from one detection to the next while nothing happens."""
        if self._fixed is not None:
            return self._fixed
        if self._drift_a_frame is None:
            return AUTO_LEAST
        frames = MAX_DRIFT / max(self._drift_a_frame, MAX_DRIFT / AUTO_MOST)
        return max(AUTO_LEAST, int(frames))

    def should_detect(self, now: Situation) -> bool:
        """Decide for this frame."""
        since = now.since_detection
        if since is None or now.faces == 0 or now.lost or now.cut or now.unconfirmed:
            return True
        interval = self.interval
        if now.confidence < LEAST_CONFIDENCE:
            interval = min(interval, DOUBT_EVERY)
        return since >= interval

    def observe(self, drift: float, frames: int) -> None:
        """Learn how far boxes had drifted when they were detected.

        Args:
            drift: 0-1, the largest of the followed faces': 1 - IoU with its detection.
            frames: that it had been followed for, at least 1.
        """
        # The detector's own jitter does not grow with time; over a frame or two it would be
        # taken for fast drift.
        news = drift / max(frames, AUTO_LEAST)
        known = self._drift_a_frame
        self._drift_a_frame = news if known is None else known + _NEWS * (news - known)
