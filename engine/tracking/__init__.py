"""Following faces between detections."""

from __future__ import annotations

from ..errors import BadInput
from .base import Box, Follower
from .kcf import KCF
from .opencv import OpenCVKCF
from .resting import Resting
from .tracker import MAX_AGE_S, FaceTracker, Health

__all__ = [
    "FOLLOWERS", "MAX_AGE_S", "Box", "FaceTracker", "Follower", "Health", "open_tracker",
]  # fmt: skip

FOLLOWERS: dict[str, type[Follower]] = {"kcf": KCF, "opencv": OpenCVKCF, "none": Resting}


def open_tracker(name: str, max_age_s: float = MAX_AGE_S) -> FaceTracker:
    """A tracker with the follower of that name; see `FaceTracker`.

    Raises:
        BadInput: there is none of that name.
    """
    if name not in FOLLOWERS:
        raise BadInput(f"no tracker {name!r}; there are {', '.join(FOLLOWERS)}")
    return FaceTracker(FOLLOWERS[name](), max_age_s)
