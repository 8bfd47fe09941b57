"""All that is one source's own from frame to frame: where its faces are and what they show."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from .background import BackgroundDetector
from .certainty import Certainty
from .classifier import ExpressionClassifier
from .config import PipelineConfig
from .cuts import CutDetector
from .detector import FindFaces
from .expressions import Expressions
from .scheduler import Schedule, Situation
from .smoothing import ExpressionSmoother
from .tracing import span
from .tracking import FaceTracker, Place
from .types import Boxes, Detections, Face, Floats, Frame, FrameResult, Track

# What stands for the answers of a classifier that is not there.
NO_ANSWERS: Floats = np.empty((0, 0), np.float32)


class Lane:
    """Carries the faces of one source from frame to frame. It knows no source.

    For each frame in turn: `locate` finds its faces, `due` names those to classify, and
    `finish` gives them their expressions. Classification lies between the last two, outside,
    so that the faces of several lanes can be one run of the network.

    Args:
        detector: finds faces in a frame.
        tracker: keeps them between detections.
        schedule: decides between the two.
        expressions: decides whose turn it is, smooths and names.
        worker: runs the detector beside the loop, in place of `detector`; None detects in
            `locate`, so that a frame that is detected in waits.
        stills: whether each frame is a picture of its own, with nothing to follow.
    """

    def __init__(
        self,
        detector: FindFaces,
        tracker: FaceTracker,
        schedule: Schedule,
        expressions: Expressions,
        worker: BackgroundDetector | None = None,
        stills: bool = False,
    ) -> None:
        self._detector = detector
        self._tracker = tracker
        self._schedule = schedule
        self._expressions = expressions
        self._worker = worker
        self._stills = stills
        self._cuts = CutDetector()
        self._since_detection: int | None = None
        # Frames between the last two detections.
        self._followed_for = 1
        # For the worker, when the frame is done.
        self._due: Frame | None = None
        self._found: Boxes | None = None

    def locate(self, frame: Frame) -> tuple[Track, ...]:
        """Find the faces of the next frame."""
        self._found = None
        if self._stills:
            # Without faces to follow, the schedule detects.
            self._tracker.forget()
        self._take_over()
        with span("track"):
            self._tracker.predict(frame)
        if self._should_detect(self._sees_cut(frame)):
            self._detect(frame)
        return self._tracker.tracks

    def due(self, tracks: Sequence[Track]) -> list[Track]:
        """Those of the frame's faces that are to be classified; see `Expressions.due`."""
        return self._expressions.due(tracks)

    def finish(
        self, frame: Frame, tracks: Sequence[Track], due: Sequence[Track], rows: Floats
    ) -> FrameResult:
        """Give the faces of a frame their expressions.

        Args:
            frame: the one that was located last.
            tracks: what `locate` found in it.
            due: what `due` named of these.
            rows: float32 `(len(due), classes)`, the classifier's answers to these;
                `NO_ANSWERS` without one.
        """
        faces = self._faces(frame, tracks, due, rows)
        self._detect_beside()
        return FrameResult(frame, faces, self._found)

    def close(self) -> None:
        """End the detection beside the loop; may be called twice."""
        if self._worker is not None:
            self._worker.close()

    def _faces(
        self, frame: Frame, tracks: Sequence[Track], due: Sequence[Track], rows: Floats
    ) -> tuple[Face, ...]:
        if rows is NO_ANSWERS:
            return tuple(Face(track, {}) for track in tracks)
        return self._expressions.faces(tracks, due, rows, frame.time_s)

    def _detect_beside(self) -> None:
        """Let the worker begin with a frame that is due.

        When all other work for the frame is done: a detection that runs on all cores finds
        them idle until the next frame comes.
        """
        if self._worker is not None and self._due is not None:
            self._worker.submit(self._due, self._tracker.places)
        self._due = None

    def _sees_cut(self, frame: Frame) -> bool:
        if self._stills:
            return False
        with span("cut"):
            cut = self._cuts.see(frame.image)
        if not cut:
            return False
        self._tracker.cut()
        if self._worker is not None:
            self._worker.discard()
        return True

    def _should_detect(self, cut: bool) -> bool:
        if self._since_detection is not None:
            self._since_detection += 1
        health = self._tracker.health
        return self._schedule.should_detect(
            Situation(
                self._since_detection, health.faces, health.lost, health.unconfirmed,
                health.confidence, cut,
            )
        )  # fmt: skip

    def _detect(self, frame: Frame) -> None:
        if self._worker is None:
            self._followed_for = self._since_detection or 1
            detections = self._detector(frame.image)
            self._found = detections.boxes
            self._correct(frame, detections)
        elif not self._worker.busy:
            self._followed_for = self._since_detection or 1
            self._due = frame
        else:
            return
        self._since_detection = 0

    def _take_over(self) -> None:
        """Take over a detection in an earlier frame, before the tracks go on to the next."""
        late = self._worker.take() if self._worker is not None else None
        if late is not None:
            self._correct(late.frame, late.detections, late.places)

    def _correct(
        self, frame: Frame, detections: Detections, then: Mapping[int, Place] | None = None
    ) -> None:
        with span("track"):
            self._tracker.correct(frame, detections, then)
        if self._tracker.drift is not None:
            self._schedule.observe(self._tracker.drift, self._followed_for)


def open_lane(
    config: PipelineConfig,
    detector: FindFaces,
    tracker: FaceTracker,
    classifier: ExpressionClassifier | None,
    stills: bool,
    live: bool,
    detects_anywhere: bool = True,
) -> Lane:
    """A lane under the options of a run.

    Args:
        config: the options.
        detector: finds faces in a frame.
        tracker: keeps them between detections; it may have served an earlier lane.
        classifier: names the expressions of its faces; None leaves them out.
        stills: see `Lane`.
        live: whether frames are lost that wait; detection then runs beside the loop, unless
            `config` says otherwise.
        detects_anywhere: see `Stages`.
    """
    beside = live if config.background is None else config.background
    # What is shown without its faces waits until they are known.
    beside, every = (False, 1) if config.blur else (beside, config.detect_every)
    return Lane(
        detector,
        tracker,
        Schedule(every),
        _expressions(config, classifier, stills),
        BackgroundDetector(detector) if beside and detects_anywhere and not stills else None,
        stills,
    )


def _expressions(
    config: PipelineConfig, classifier: ExpressionClassifier | None, stills: bool
) -> Expressions:
    smoother = None if stills else ExpressionSmoother(config.smooth_s)
    if classifier is None:
        return Expressions((), smoother, config.classify_every)
    certainty = Certainty.of(classifier.facts, config.min_confidence)
    return Expressions(classifier.labels, smoother, config.classify_every, certainty)
