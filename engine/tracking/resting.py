"""No tracking: boxes rest where they were detected."""

from __future__ import annotations

from collections.abc import Collection, Mapping

from ..types import Image
from .base import Box, Followed, Follower


class Resting(Follower):
    """Repeats the boxes it was given until the next detection."""

    looks = False

    def __init__(self) -> None:
        self._boxes: dict[int, Box] = {}

    def start(self, image: Image, boxes: Mapping[int, Box]) -> None:
        """Remember these boxes too; see `Follower.start`."""
        self._boxes |= boxes

    def correct(self, boxes: Mapping[int, Box]) -> set[int]:
        """Remember the better boxes; see `Follower.correct`."""
        self._boxes |= boxes
        return set()

    def stop(self, ids: Collection[int]) -> None:
        """Forget these boxes; see `Follower.stop`."""
        self._boxes = {key: box for key, box in self._boxes.items() if key not in ids}

    def update(self, image: Image) -> dict[int, Followed]:
        """Return the boxes; see `Follower.update`."""
        return {key: Followed(box, 1.0) for key, box in self._boxes.items()}
