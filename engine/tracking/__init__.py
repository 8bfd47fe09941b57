"""Following faces between detections."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from ..errors import BadInput
from .base import Box, Follower, Place
from .kcf import KCF
from .opencv import OpenCVKCF
from .resting import Resting
from .tracker import MAX_AGE_S, FaceTracker, Health

__all__ = [
    "FOLLOWERS", "MAX_AGE_S", "Box", "FaceTracker", "Follower", "Followers", "Health",
    "Place", "open_tracker",
]  # fmt: skip

Followers = Mapping[str, Callable[[], Follower]]

FOLLOWERS: Followers = {"kcf": KCF, "opencv": OpenCVKCF, "none": Resting}


def open_tracker(
    name: str, max_age_s: float = MAX_AGE_S, followers: Followers = FOLLOWERS
) -> FaceTracker:
    """A tracker with the follower of that name; see `FaceTracker`.

    Args:
        name: of the follower.
        max_age_s: how long an id waits, in seconds of the source.
        followers: what makes each.

    Raises:
        BadInput: there is none of that name.
    """
    if name not in followers:
        raise BadInput(f"no tracker {name!r}; there are {', '.join(followers)}")
    return FaceTracker(followers[name](), max_age_s)
