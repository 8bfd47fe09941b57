"""A pipeline whose networks are scripted: everything but the networks is real."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import Executor
from contextlib import contextmanager
from dataclasses import replace

import numpy as np

from fer_edge.engine.backends import FakeBackend
from fer_edge.engine.background import BackgroundDetector
from fer_edge.engine.classifier import ExpressionClassifier
from fer_edge.engine.detector import Detector
from fer_edge.engine.expressions import Expressions
from fer_edge.engine.lane import Lane
from fer_edge.engine.model import (
    FER2013_LABELS,
    DetectorFacts,
    ExpressionFacts,
    InputFacts,
    ModelFacts,
)
from fer_edge.engine.pipeline import Pipeline
from fer_edge.engine.scheduler import Interval, Schedule
from fer_edge.engine.smoothing import ExpressionSmoother
from fer_edge.engine.sources import open_source
from fer_edge.engine.sources.base import Feed
from fer_edge.engine.tracking import open_tracker
from fer_edge.engine.types import Floats

SURVIVORS = 4


def detector_facts(**changes: object) -> ModelFacts:
    """Facts of a 32x32 detector with one class."""
    values: dict[str, object] = {
        "kind": "detector",
        "input": InputFacts("image", 32, 32, "rgb", "tf1_bilinear", (127.5,) * 3, (1 / 127.5,) * 3),
        "labels": ("face",),
        "precision": "fp32",
        "source_name": "scripted",
        "source_sha256": "0" * 64,
        "converter": "test",
        "detector": DetectorFacts("boxes", "scores", 0, 0.0, 0.6, 100),
    }
    return ModelFacts(**{**values, **changes})  # type: ignore[arg-type]


def expression_facts(**changes: object) -> ModelFacts:
    """Facts of an 8x8 gray expression model with the seven labels."""
    values: dict[str, object] = {
        "kind": "expression",
        "input": InputFacts("face", 8, 8, "gray", "area", (0.0,), (1.0,)),
        "labels": FER2013_LABELS,
        "precision": "fp32",
        "source_name": "scripted",
        "source_sha256": "0" * 64,
        "converter": "test",
        "expression": ExpressionFacts("probabilities", 1.0),
    }
    return ModelFacts(**{**values, **changes})  # type: ignore[arg-type]


Found = list[tuple[tuple[float, float, float, float], float]]
"""Faces of one detection: corners (ymin, xmin, ymax, xmax) in 0-1, and score."""


# Landmarks of a scripted face: (across, down) in shares of its box.
MARKS = ((0.3, 0.4), (0.7, 0.4), (0.5, 0.6), (0.35, 0.8), (0.65, 0.8))


def fake_detector(script: Callable[[int], Found], landmarks: bool = False) -> FakeBackend:
    """A detector that finds `script(call)` at its call-th inference, maybe with `MARKS`."""

    def answer(call: int, inputs: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
        boxes = np.zeros((1, SURVIVORS, 4), np.float32)
        scores = np.zeros((1, SURVIVORS, 1), np.float32)
        for slot, (corners, score) in enumerate(script(call)):
            boxes[0, slot], scores[0, slot] = corners, score
        corner, size = boxes[..., None, 1::-1], (boxes[..., 2:] - boxes[..., :2])[..., None, ::-1]
        points = corner + np.float32(MARKS) * size
        return {"boxes": boxes, "scores": scores, "landmarks": points}

    facts = detector_facts()
    if landmarks:
        assert facts.detector is not None
        facts = replace(facts, detector=replace(facts.detector, landmarks_output="landmarks"))
    return FakeBackend(answer, facts)


def marks_in(box: tuple[float, float, float, float]) -> Floats:
    """Where `MARKS` are in a box `(x, y, w, h)`: `(5, 2)`."""
    return np.float32(box[:2]) + np.float32(MARKS) * np.float32(box[2:])


def fake_expression(favourite: int = 3) -> FakeBackend:
    """An expression model that always answers 0.4 for one class and 0.1 for the others."""

    def answer(call: int, inputs: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
        rows = np.full((len(inputs["face"]), len(FER2013_LABELS)), 0.1, np.float32)
        rows[:, favourite] = 0.4
        return {"probabilities": rows}

    return FakeBackend(answer, expression_facts())


@contextmanager
def scripted_pipeline(
    script: Callable[[int], Found],
    source: str | Feed = "demo",
    detect_every: Interval = 10,
    tracker: str = "none",
    classify: bool = True,
    executor: Executor | None = None,
    smooth_s: float = 0.0,
    expression: FakeBackend | None = None,
    classify_every: int = 1,
    landmarks: bool = False,
) -> Iterator[tuple[Pipeline, FakeBackend]]:
    """A pipeline over a real source with scripted networks, and its detector backend.

    With an executor, it detects beside the loop.
    """
    feed = source if isinstance(source, Feed) else open_source(source)
    backend, expression = fake_detector(script, landmarks), expression or fake_expression()
    detector = Detector(backend)
    lane = Lane(
        detector,
        open_tracker(tracker),
        Schedule(detect_every),
        Expressions(FER2013_LABELS, ExpressionSmoother(smooth_s), classify_every),
        BackgroundDetector(detector, executor) if executor else None,
        feed.info.stills,
    )
    classifier = ExpressionClassifier(expression) if classify else None
    pipeline = Pipeline(feed, lane, classifier, (backend, expression))
    with pipeline:
        yield pipeline, backend
