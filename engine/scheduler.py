"""Detect or track this frame? A decision from numbers; it knows no model and no clock."""

from __future__ import annotations

from dataclasses import dataclass

from .errors import BadInput


@dataclass(frozen=True)
class Schedule:
    """Detection every `detect_every` frames, and whenever tracking has nothing to follow.

    Raises:
        BadInput: `detect_every` is below 1.
    """

    detect_every: int = 10

    def __post_init__(self) -> None:
        if self.detect_every < 1:
            raise BadInput(f"detection every {self.detect_every} frames: give 1 or more")

    def should_detect(self, since_detection: int | None, faces: int, lost: bool) -> bool:
        """Decide for the next frame.

        Args:
            since_detection: frames processed since the last detection, 0 right after
                it; None before the first.
            faces: faces followed at the moment.
            lost: whether the tracker has lost one since the last detection.
        """
        return (
            since_detection is None
            or lost
            or faces == 0
            or since_detection + 1 >= self.detect_every
        )
