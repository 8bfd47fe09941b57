"""The seam between following pixels and keeping identities."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import NamedTuple

from ..types import Image

Box = tuple[float, float, float, float]


class Place(NamedTuple):
    """Where a face is, and how it is tilted there.

    Attributes:
        box: `(x, y, w, h)` in pixels of the frame; it may stick out.
        angle: in radians, clockwise as one sees the picture, since its follower was started.
    """

    box: Box
    angle: float = 0.0


@dataclass(frozen=True)
class Followed:
    """A face that was found again.

    Attributes:
        box: `(x, y, w, h)` in pixels of the frame; it may stick out.
        confidence: 0-1, how sure the follower is that the face is there.
        angle: by how much it has turned since it was started, in radians, clockwise as one sees
            the picture; 0 where the follower does not know. A correction leaves it as it is.
    """

    box: Box
    confidence: float
    angle: float = 0.0


class Follower(ABC):
    """Follows the boxes of all faces of a video from frame to frame.

    Boxes are `(x, y, w, h)` in pixels, keyed by track id; images are BGR uint8.

    Attributes:
        looks: whether it looks at the pixels, so that it sees when a face is gone.
    """

    looks = True

    @abstractmethod
    def start(self, image: Image, boxes: Mapping[int, Box]) -> None:
        """Follow these faces too, as they look in `image`; one that is known starts anew."""

    @abstractmethod
    def correct(self, boxes: Mapping[int, Box]) -> set[int]:
        """Take over better boxes for followed faces, in the frame of the last update.

        Returns:
            The faces whose boxes differ by so much that they have to be started anew.
        """

    @abstractmethod
    def stop(self, ids: Collection[int]) -> None:
        """Forget these faces; those that are unknown anyway are no error."""

    @abstractmethod
    def update(self, image: Image) -> dict[int, Followed]:
        """Find the faces in the next frame; one that was lost is missing, for good."""
