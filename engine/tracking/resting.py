"""No tracking: boxes rest where they were detected."""

from __future__ import annotations

from collections.abc import Mapping

from ..types import Image
from .base import Box, Follower


class Resting(Follower):
    """Repeats the boxes it was started with until the next detection."""

    def __init__(self) -> None:
        self._boxes: dict[int, Box] = {}

    def start(self, image: Image, boxes: Mapping[int, Box]) -> None:
        """Remember the boxes; see `Follower.start`."""
        self._boxes = dict(boxes)

    def update(self, image: Image) -> dict[int, Box]:
        """Return the boxes; see `Follower.update`."""
        return dict(self._boxes)
