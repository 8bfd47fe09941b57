"""Update times: trackers take turns of some frames, so that a noisy machine treats them alike."""

from __future__ import annotations

from dataclasses import dataclass
from time import perf_counter

import numpy as np

from .runs import TRACKERS
from .sequences import Sequence

# Updates of a turn, and how many of these come first and are not counted.
TURN, WARM_UP = 15, 3


@dataclass(frozen=True)
class Speed:
    """Update time of one tracker with a number of faces.

    In the clock: one update, from a BGR frame in memory to all boxes; conversion to gray, size
    search and learning included, detection and new starts not.

    Attributes:
        median_us, mean_us, p99_us: of a whole update.
        ratio: median of `cv2.TrackerKCF` over this one's, in the same run.
    """

    tracker: str
    faces: int
    median_us: float
    mean_us: float
    p99_us: float
    ratio: float


def measure(sequence: Sequence, names: list[str], frames: int, reference: str) -> list[Speed]:
    """Update times on a sequence whose faces stay in view.

    Args:
        sequence: starts all trackers from its first frame.
        names: of `TRACKERS`.
        frames: updates to measure of each.
        reference: the tracker that ratios refer to.
    """
    followers = {name: TRACKERS[name]() for name in names}
    count = len(sequence.truth[0])
    image = np.empty_like(sequence.frames[0])
    times: dict[str, list[float]] = {name: [] for name in names}
    shots = sequence.frames[1 : TURN + 1]
    for _ in range(-(-frames // (len(shots) - WARM_UP))):
        for name, follower in followers.items():
            follower.start(sequence.frames[0], {id_: t.box for id_, t in sequence.truth[0].items()})
            for index, shot in enumerate(shots):
                # As a camera or a decoder leaves it: just written.
                np.copyto(image, shot)
                started = perf_counter()
                follower.update(image)
                if index >= WARM_UP:
                    times[name].append(perf_counter() - started)
    medians = {name: float(np.median(values)) * 1e6 for name, values in times.items()}
    return [
        Speed(
            name, count, medians[name], float(np.mean(values)) * 1e6,
            float(np.percentile(values, 99)) * 1e6, medians[reference] / medians[name],
        )
        for name, values in times.items()
    ]  # fmt: skip
