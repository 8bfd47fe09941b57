"""What one detection costs with each of several detectors, in turns."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from time import perf_counter

import numpy as np
import numpy.typing as npt

from fer_edge.engine.types import Image

from .intervals import Interval
from .opened import Opened
from .records import DetectionCost

# Detections of one detector in its turn, and how many of them only bring it back into the cache.
# Taking turns call by call, they would disturb each other: see model_latency.py.
BLOCK, UNTIMED = 12, 2
TURNS = 20
RESAMPLES = 400


def detection_costs(
    detectors: Sequence[Opened],
    image: Image,
    turns: int = TURNS,
    progress: Callable[[str], None] = lambda _: None,
) -> list[DetectionCost]:
    """Time whole detections, from pixels to boxes.

    Args:
        detectors: open; the first is what the others are compared with.
        image: BGR uint8 `(h, w, 3)`, seen by all of them.
        turns: blocks of each.
        progress: told how far it is.
    """
    # The first turn warms up.
    blocks = []
    for turn in range(turns + 1):
        progress(f"cost of a detection, {turn} of {turns}")
        blocks.append([_block(detector, image) for detector in detectors])
    times = np.array(blocks[1:])
    return [
        DetectionCost(
            detector=detector.name,
            plan=detector.plan,
            sees=detector.sees(image),
            median_s=float(np.median(times[:, index])),
            ratio=median_ratio(times[:, 0], times[:, index]),
        )
        for index, detector in enumerate(detectors)
    ]


def median_ratio(
    first: npt.NDArray[np.float64], other: npt.NDArray[np.float64], seed: int = 0
) -> Interval:
    """Median of `first` over that of `other`, both `(turns, calls)`, with a bootstrap's 95 %.

    Whole turns are drawn, for the calls of one are alike.
    """
    rng = np.random.default_rng(seed)
    picks = rng.integers(0, len(first), (RESAMPLES, len(first)))
    drawn = [np.median(one[picks].reshape(RESAMPLES, -1), axis=1) for one in (first, other)]
    low, high = np.percentile(drawn[0] / drawn[1], [2.5, 97.5])
    return Interval(float(np.median(first) / np.median(other)), float(low), float(high))


def _block(detector: Opened, image: Image) -> list[float]:
    """Seconds of each detection of one turn but the first few."""
    times = []
    for _ in range(BLOCK):
        started = perf_counter()
        detector.find(image)
        times.append(perf_counter() - started)
    return times[UNTIMED:]
