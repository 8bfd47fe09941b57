"""One tracker over one sequence, with the true boxes in place of a detector or behind one."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from time import perf_counter

import numpy as np

from fer_edge.engine.detector import FindFaces
from fer_edge.engine.tracking import FOLLOWERS, FaceTracker, Follower
from fer_edge.engine.types import Detections, Frame

from .material import Box
from .metrics import VISIBLE, clipped
from .rivals import KCF2019, PlainOpenCV
from .sequences import Sequence

TRACKERS: dict[str, Callable[[], Follower]] = {
    "kcf": FOLLOWERS["kcf"],
    "opencv": FOLLOWERS["opencv"],
    "opencv plain": PlainOpenCV,
    "2019": KCF2019,
    "none": FOLLOWERS["none"],
}


@dataclass(frozen=True)
class Run:
    """What a tracker made of a sequence.

    Attributes:
        answers: of each frame, box by track id.
        update_s: seconds in the follower's update, of each frame that followed a face.
        followed: number of faces in these.
    """

    answers: list[dict[int, Box]]
    update_s: list[float]
    followed: list[int]


def follow(
    sequence: Sequence,
    follower: Follower,
    every: int,
    jitter: float = 0.0,
    seed: int = 0,
    detector: FindFaces | None = None,
) -> Run:
    """Detect every `every`-th frame, and follow in between.

    Args:
        sequence: what to follow.
        follower: a new one.
        every: frames from one detection to the next; all trackers detect in the same frames.
        jitter: standard deviation of the detected boxes' place and size, in box sides.
        seed: of the jitter.
        detector: finds the faces; None for the true boxes.
    """
    tracker, rng = FaceTracker(follower), np.random.default_rng(seed)
    run = Run([], [], [])
    for index, image in enumerate(sequence.frames):
        frame = Frame(image, index, index / sequence.fps)
        faces, started = tracker.health.faces, perf_counter()
        tracker.predict(frame)
        spent = perf_counter() - started
        if faces:
            run.update_s.append(spent)
            run.followed.append(faces)
        if index % every == 0:
            if detector is None:
                tracker.correct(frame, detections(sequence, index, jitter, rng))
            else:
                tracker.correct(frame, detector(image))
        run.answers.append({track.id: track.box for track in tracker.tracks})
    return run


def detections(
    sequence: Sequence, index: int, jitter: float, rng: np.random.Generator
) -> Detections:
    """The visible faces of a frame, cut off at its border as a detector's are."""
    known = sequence.truth[index].values()
    boxes = clipped([face.box for face in known if face.visible >= VISIBLE])
    boxes[:, :2] += rng.normal(0, 1, (len(boxes), 2)) * jitter * boxes[:, 2:]
    boxes[:, 2:] *= np.exp(rng.normal(0, 1, (len(boxes), 2)) * jitter)
    return Detections(boxes.astype(np.float32), np.full(len(boxes), 0.9, np.float32))
