"""Following faces between detections."""

from __future__ import annotations

from ..errors import BadInput
from .base import Follower
from .opencv import OpenCVKCF
from .resting import Resting
from .tracker import FaceTracker

__all__ = ["FOLLOWERS", "FaceTracker", "Follower", "open_tracker"]

FOLLOWERS: dict[str, type[Follower]] = {"kcf": OpenCVKCF, "none": Resting}


def open_tracker(name: str) -> FaceTracker:
    """A tracker with the follower of that name.

    Raises:
        BadInput: there is none of that name.
    """
    if name not in FOLLOWERS:
        raise BadInput(f"no tracker {name!r}; there are {', '.join(FOLLOWERS)}")
    return FaceTracker(FOLLOWERS[name]())
