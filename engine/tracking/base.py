"""The seam between following pixels and keeping identities."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping

from ..types import Image

Box = tuple[float, float, float, float]


class Follower(ABC):
    """Follows the boxes of all faces of a video from frame to frame.

    Boxes are `(x, y, w, h)` in pixels, keyed by track id.
    """

    @abstractmethod
    def start(self, image: Image, boxes: Mapping[int, Box]) -> None:
        """Forget everything and follow `boxes` as they look in `image` (BGR uint8)."""

    @abstractmethod
    def update(self, image: Image) -> dict[int, Box]:
        """Find the boxes in the next frame; a face that was lost is missing, for good."""
