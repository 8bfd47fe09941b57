"""Single stages, timed by their own spans in pipelines that run them in every frame.

One pipeline detects in every frame, another follows and classifies in every frame; the
tracer inside tells their stages apart, on any backend.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from math import ceil
from pathlib import Path
from tempfile import TemporaryDirectory
from time import perf_counter
from typing import Any

import cv2
import numpy as np

from fer_edge.engine.config import PipelineConfig
from fer_edge.engine.draw import annotate
from fer_edge.engine.errors import BadInput
from fer_edge.engine.pipeline import Pipeline
from fer_edge.engine.sinks.records import JSONLines
from fer_edge.engine.sources.base import LosslessFeed
from fer_edge.engine.tracing import record, span
from fer_edge.engine.types import Frame, FrameResult, Image

from .intervals import rate_interval
from .laps import Plan, Seconds, times_of
from .records import Lap, StageResult
from .scene import Loop, Scene

NEVER = 1_000_000_000  # frames to the next detection


@dataclass(frozen=True)
class Part:
    """A part of the engine, ready to be called.

    Attributes:
        stages: that its spans name, with what a call of each does.
        call: does it once; takes the number of the call.
    """

    stages: dict[str, str]
    call: Callable[[int], object]


def measure_stages(
    names: Sequence[str], scene: Scene, config: PipelineConfig, plan: Plan
) -> list[StageResult]:
    """Measure stages over the frames of a scene; the parts take turns, lap by lap.

    Args:
        names: the stages wanted; one that this backend does not have is left out.
        scene: the frames.
        config: of the models and the tracker.
        plan: repetitions and their length.

    Raises:
        BadInput: the detector finds no face in the scene, so that there is nothing to
            track or classify.
    """
    with ExitStack() as opened:
        parts = [part for part in _parts(scene, config, opened) if set(part.stages) & set(names)]
        calls = [_calls_of_a_lap(part, plan) for part in parts]
        laps: dict[str, list[Seconds]] = defaultdict(list)
        for _ in range(plan.repetitions):
            for part, count in zip(parts, calls, strict=True):
                for name, spent in _timed(part, count).items():
                    laps[name].append(spent)
    abouts = {name: about for part in parts for name, about in part.stages.items()}
    return [_result(name, abouts[name], scene, laps[name]) for name in names if name in laps]


def _result(name: str, about: str, scene: Scene, laps: Sequence[Seconds]) -> StageResult:
    height, width = scene.frames[0].shape[:2]
    sums = [Lap(len(spent), float(spent.sum()), None, 0.0) for spent in laps]
    figures = times_of(np.concatenate(laps))
    assert figures is not None, "a lap without calls"
    return StageResult(
        name,
        about,
        scene.faces or 0,
        width,
        height,
        rate_interval([lap.frames for lap in sums], [lap.elapsed_s for lap in sums]),
        figures,
        sums,
    )


def _calls_of_a_lap(part: Part, plan: Plan) -> int:
    """As many as fill the lap's time, after a warm-up that measures one call."""
    for index in range(3):
        part.call(index)
    started = perf_counter()
    for index in range(10):
        part.call(index)
    return plan.frames or max(10, ceil(plan.seconds * 10 / (perf_counter() - started)))


def _timed(part: Part, calls: int) -> dict[str, Seconds]:
    """Seconds of every call, by stage."""
    with record() as recording:
        for index in range(calls):
            part.call(index)
    spent: dict[str, list[float]] = {name: [] for name in part.stages}
    for one in recording.spans:
        if one.name in spent:
            spent[one.name].append(one.end_s - one.start_s)
    return {name: np.array(times) for name, times in spent.items() if times}


def _parts(scene: Scene, config: PipelineConfig, opened: ExitStack) -> list[Part]:
    frames, count = scene.frames, len(scene.frames)

    def pipeline(**changes: Any) -> Iterator[FrameResult]:
        feed = LosslessFeed(Loop(frames))
        made = Pipeline.from_config(feed, replace(config, **changes))
        return iter(opened.enter_context(made))

    # One detects in every frame, one never does unless it loses a face.
    detecting = pipeline(classify=False, detect_every=1)
    following = pipeline(classify=True, detect_every=NEVER, classify_every=1)
    result = next(following)
    if not result.faces:
        raise BadInput("the detector finds no face in the first frame: nothing to track")
    folder = Path(opened.enter_context(TemporaryDirectory(prefix="fer-bench-")))
    sink = opened.enter_context(JSONLines(folder / "results.jsonl"))
    pictures = [_encoded(frame) for frame in frames]

    def alone(name: str, about: str, call: Callable[[int], object]) -> Part:
        def spanned(number: int) -> None:
            with span(name):
                call(number)

        return Part({name: about}, spanned)

    return [
        alone(
            "decode",
            "one JPEG frame of quality 95",
            lambda i: cv2.imdecode(pictures[i % count], cv2.IMREAD_COLOR),
        ),
        Part(
            {
                "upload": "frame to the device",
                "preprocess": "frame to the detector's input",
                "detect": "the detector's network",
                "NMS": "decoding and suppression of boxes",
            },
            lambda _: next(detecting),
        ),
        Part(
            {
                "track": f"{config.tracker}, one frame, all faces",
                "cut": "looking for a change of scene",
                "crop": "all faces to the expression network's input",
                "classify": "the expression network, all faces",
                "smooth": "expressions over time",
            },
            lambda _: next(following),
        ),
        alone(
            "draw",
            "boxes and captions into a copy",
            lambda i: annotate(replace(result, frame=Frame(frames[i % count], 0, 0.0))),
        ),
        alone("sinks", "one JSON line", lambda _: sink.write(result)),
    ]


def _encoded(frame: Image) -> np.ndarray[tuple[int], np.dtype[np.uint8]]:
    done, data = cv2.imencode(".jpg", frame, [cv2.IMWRITE_JPEG_QUALITY, 95])
    if not done:
        raise BadInput("OpenCV cannot encode JPEG")
    return data
