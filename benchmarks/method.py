"""What the figures of a report mean, in words that go with every report."""

from __future__ import annotations

METHOD = {
    "clock": (
        "Full clock: from before a frame is fetched to its result, outputs included where "
        "there are any. Frames come from memory unless decoding is named. Published clock: "
        "from frame in hand to result in hand, as the program of 2019 timed itself; capture "
        "and display are outside it."
    ),
    "fps": "Frames over elapsed time of all repetitions; never a mean of ratios.",
    "interval": (
        "95 %: Student's t over the logarithms of the repetitions' rates; for ratios, of laps "
        "that took turns."
    ),
    "percentiles": (
        "MLPerf's early-stopping estimates: with 99 % confidence the true percentile is not "
        "above the value. A percentile is left out below 11 (p50), 64 (p90) or 662 (p99) "
        "frames. Worst is the worst seen."
    ),
    "scenarios": (
        "After MLPerf's edge scenarios, and no MLPerf result: single stream, the next frame "
        "is fetched when the result of the last one is in hand; multi-stream, a frame of every "
        "source at once, timed until all have their results; throughput unpaced, as offline."
    ),
    "frames": (
        "A loop of photographs of real faces, each swaying in a tile of its own; every frame "
        "that detects is counted apart from those that only track."
    ),
    "memory": (
        "Peak resident memory of a process of its own that runs the case, its frames included."
    ),
    "overhead": "Time of the pipeline's thread outside every stage: Python, queues, bookkeeping.",
}
