"""How even the frame times of a live source are: detection beside the loop, and inside it.

    python benchmarks/live.py --seconds 20

The demo (one face, 640x480) plays at 30 frames a second as a camera would. In the clock: a frame
from the moment the loop takes it to its result. The two ways take turns, lap by lap.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence

import numpy as np

from fer_edge.engine.config import PipelineConfig
from fer_edge.engine.pipeline import Pipeline
from fer_edge.engine.tracing import Recording, Span, record

# Of a lap: the detector's memory and the caches are not warm yet.
WARM_UP = 15
LAPS = 2
WAYS = {"beside the loop": True, "inside the loop": False}


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seconds", type=float, default=20.0, help="of each way (20)")
    parser.add_argument("--detect-every", type=int, default=10, metavar="N", help="(10)")
    args = parser.parse_args(arguments)
    laps: dict[str, list[Recording]] = {name: [] for name in WAYS}
    dropped = dict.fromkeys(WAYS, 0)
    frames = max(WARM_UP + 2, round(args.seconds * 30 / LAPS))
    for _ in range(LAPS):
        for name, background in WAYS.items():
            config = PipelineConfig(
                background=background, detect_every=args.detect_every, delivery="realtime"
            )
            recording, lost = _lap(config, frames)
            laps[name].append(recording)
            dropped[name] += lost
    for name, recordings in laps.items():
        _show(name, recordings, dropped[name])


def _lap(config: PipelineConfig, frames: int) -> tuple[Recording, int]:
    """Play some frames of the demo."""
    with Pipeline.from_config("demo", config) as pipeline, record() as recording:
        for count, _ in enumerate(pipeline, 1):
            if count == frames:
                break
        return recording, pipeline.source.dropped


def _show(name: str, recordings: list[Recording], dropped: int) -> None:
    quiet: list[float] = []
    busy: list[float] = []
    for recording in recordings:
        detections = [span for span in recording.spans if span.name == "detect"]
        frames = [span for span in recording.spans if span.name == "frame"][WARM_UP:]
        for frame in frames:
            near = any(_meet(frame, detection) for detection in detections)
            (busy if near else quiet).append(1e3 * (frame.end_s - frame.start_s))
    times = np.array(quiet + busy)
    median, late = np.percentile(times, [50, 99])
    print(
        f"{name}: {len(times)} frames, {dropped} dropped, median {median:.2f} ms, "
        f"p99 {late:.2f} ms ({late / median:.2f} times), worst {times.max():.2f} ms; "
        f"{len(busy)} with a detection at the same time, median {np.median(busy or [0]):.2f} ms"
    )


def _meet(one: Span, other: Span) -> bool:
    return one.start_s < other.end_s and other.start_s < one.end_s


if __name__ == "__main__":
    main()
