"""Does memory stay flat over a long run?"""

from __future__ import annotations

import statistics
from collections.abc import Callable
from time import perf_counter

from .laps import Runner
from .memory import resident_bytes
from .records import Case, Soak

SAMPLES = 200
# Of the run: caches fill and the allocator finds its size.
WARM_SHARE = 0.02
# What growth after warm-up may be before it is called a leak.
FLAT_BYTES = 5_000_000


def soak(
    runner: Runner, case: Case, frames: int, progress: Callable[[str], None] = lambda _: None
) -> Soak:
    """Run `frames` frames, looking at the memory of this process now and then."""
    step = max(1, frames // SAMPLES)
    at, resident, done = [], [], 0
    started = perf_counter()
    while done < frames:
        done += runner.advance(min(step, frames - done)).lap.frames
        at.append(done)
        resident.append(resident_bytes())
        progress(f"{done:,} of {frames:,} frames, {resident[-1] / 1e6:.0f} MB")
    warm = max(1, round(frames * WARM_SHARE))
    return Soak(
        case=case,
        frames=done,
        elapsed_s=perf_counter() - started,
        at_frames=at,
        rss_bytes=resident,
        warm_frames=warm,
        growth_bytes=growth(at, resident, warm),
    )


def growth(at_frames: list[int], rss_bytes: list[int], warm_frames: int) -> int:
    """Median of the last tenth of the samples after warm-up less that of the first tenth."""
    kept = [size for at, size in zip(at_frames, rss_bytes, strict=True) if at > warm_frames]
    tenth = max(1, len(kept) // 10)
    if len(kept) < 2:
        return 0
    return round(statistics.median(kept[-tenth:]) - statistics.median(kept[:tenth]))


def verdict(result: Soak) -> str:
    """Flat or not, in words."""
    grown = result.growth_bytes / 1e6
    flat = result.growth_bytes < FLAT_BYTES
    words = "flat" if flat else "it grows"
    return f"{words}: {grown:+.1f} MB over {result.frames:,} frames after warm-up"
