"""Single stages: one call again and again on the same input, through the engine's own code."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from math import ceil
from pathlib import Path
from tempfile import TemporaryDirectory
from time import perf_counter

import cv2
import numpy as np

from fer_edge.engine.backends import open_backend
from fer_edge.engine.config import PipelineConfig
from fer_edge.engine.detector import Detector, suppress
from fer_edge.engine.draw import annotate
from fer_edge.engine.errors import BadInput
from fer_edge.engine.geometry import xywh_from_normalised_corners
from fer_edge.engine.preprocess import face_inputs, network_input
from fer_edge.engine.sinks.records import JSONLines
from fer_edge.engine.tracking import open_tracker
from fer_edge.engine.types import Face, Frame, FrameResult, Image

from .intervals import rate_interval
from .laps import Plan, times_of
from .records import Lap, StageResult
from .scene import Scene


@dataclass(frozen=True)
class Stage:
    """One stage, ready to run.

    Attributes:
        name: of `options.STAGES`.
        about: what one call does.
        call: does it; takes the number of the call.
    """

    name: str
    about: str
    call: Callable[[int], object]


def measure_stages(
    names: Sequence[str], scene: Scene, config: PipelineConfig, plan: Plan
) -> list[StageResult]:
    """Measure stages over the frames of a scene; they take turns, lap by lap.

    Raises:
        BadInput: the detector finds no face in the scene, so that there is nothing to
            track or classify.
    """
    with ExitStack() as opened:
        stages = [stage for stage in _stages(scene, config, opened) if stage.name in names]
        calls = {stage.name: _calls_of_a_lap(stage, plan) for stage in stages}
        laps: dict[str, list[Lap]] = {stage.name: [] for stage in stages}
        times: dict[str, list[np.ndarray[tuple[int], np.dtype[np.float64]]]]
        times = {stage.name: [] for stage in stages}
        for _ in range(plan.repetitions):
            for stage in stages:
                spent = _timed(stage, calls[stage.name])
                times[stage.name].append(spent)
                laps[stage.name].append(Lap(len(spent), float(spent.sum()), None, 0.0))
    height, width = scene.frames[0].shape[:2]
    results = []
    for stage in stages:
        mine = laps[stage.name]
        figures = times_of(np.concatenate(times[stage.name]))
        if figures is None:
            raise BadInput(f"stage {stage.name} was never called")
        rate = rate_interval([lap.frames for lap in mine], [lap.elapsed_s for lap in mine])
        results.append(
            StageResult(
                stage.name, stage.about, scene.faces or 0, width, height, rate, figures, mine
            )
        )
    return results


def _calls_of_a_lap(stage: Stage, plan: Plan) -> int:
    """As many as fill the lap's time, after a warm-up that measures one call."""
    _timed(stage, 3)
    once = float(np.median(_timed(stage, 10)))
    return plan.frames or max(10, ceil(plan.seconds / once))


def _timed(stage: Stage, calls: int) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
    spent = np.empty(calls)
    for index in range(calls):
        started = perf_counter()
        stage.call(index)
        spent[index] = perf_counter() - started
    return spent


def _stages(scene: Scene, config: PipelineConfig, opened: ExitStack) -> list[Stage]:
    frames = scene.frames
    first = opened.enter_context(open_backend(config.detector_path, config.backend))
    detector = Detector(first, config.min_score)
    detections = detector(frames[0])
    if not len(detections):
        raise BadInput("the detector finds no face in the first frame: nothing to track")
    facts, suppression = first.facts.input, first.facts.detector
    if suppression is None:
        raise BadInput(f"{config.detector_path}: no detector")
    pixels = {facts.name: network_input(frames[0], facts)}
    outputs = first.infer(pixels)
    height, width = frames[0].shape[:2]
    corners = outputs[suppression.boxes_output][0]
    scores = outputs[suppression.scores_output][0, :, suppression.face_class]
    candidates = xywh_from_normalised_corners(corners, width, height)
    tracker = open_tracker(config.tracker)
    tracker.correct(frames[0], detections)
    faces = tuple(Face(track, {}) for track in tracker.tracks)
    second = opened.enter_context(open_backend(config.expression_path, config.backend))
    if second.facts.expression is None:
        raise BadInput(f"{config.expression_path}: no expression model")
    cut, scale = second.facts.input, second.facts.expression.crop_scale
    crops = {cut.name: face_inputs(frames[0], detections.boxes, cut, scale)}
    folder = Path(opened.enter_context(TemporaryDirectory(prefix="fer-bench-")))
    sink = opened.enter_context(JSONLines(folder / "results.jsonl"))
    result = FrameResult(Frame(frames[0], 0, 0.0), faces)
    pictures = [_encoded(frame) for frame in frames]
    count = len(frames)

    def answer(number: int) -> object:
        return first.infer(pixels)

    def name_faces(number: int) -> object:
        return second.infer(crops)

    def drawn(number: int) -> object:
        return annotate(frames[number % count], faces)

    return [
        Stage("decode", "one JPEG frame of quality 95", lambda i: _decoded(pictures[i % count])),
        Stage(
            "preprocess",
            "whole frame to the detector's input",
            lambda i: network_input(frames[i % count], facts),
        ),
        Stage(
            "detect", f"the detector's network, {first.precision}", lambda _: first.infer(pixels)
        ),
        Stage(
            "NMS",
            f"suppression of {len(candidates)} boxes",
            lambda _: suppress(candidates, scores, suppression),
        ),
        Stage(
            "track",
            f"{config.tracker}, one frame, all faces",
            lambda i: tracker.predict(frames[i % count]),
        ),
        Stage(
            "crop",
            "faces to the expression network's input",
            lambda i: face_inputs(frames[i % count], detections.boxes, cut, scale),
        ),
        Stage(
            "classify", f"the expression network, {second.precision}", lambda _: second.infer(crops)
        ),
        Stage(
            "draw", "boxes and captions into a copy", lambda i: annotate(frames[i % count], faces)
        ),
        Stage("sinks", "one JSON line", lambda _: sink.write(result)),
    ]


def _encoded(frame: Image) -> np.ndarray[tuple[int], np.dtype[np.uint8]]:
    done, data = cv2.imencode(".jpg", frame, [cv2.IMWRITE_JPEG_QUALITY, 95])
    if not done:
        raise BadInput("OpenCV cannot encode JPEG")
    return data


def _decoded(data: np.ndarray[tuple[int], np.dtype[np.uint8]]) -> object:
    return cv2.imdecode(data, cv2.IMREAD_COLOR)
