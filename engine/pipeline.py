"""The loop: frames in, faces with expressions out."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from .backends import Backend
from .background import BackgroundDetector
from .classifier import ExpressionClassifier
from .config import PipelineConfig
from .cuts import CutDetector
from .detector import FindFaces
from .expressions import Expressions, boxes_of
from .scheduler import Schedule, Situation
from .smoothing import ExpressionSmoother
from .sources import Feed, open_source
from .sources.base import LiveFeed
from .stages import Stages, open_stages
from .tracing import span
from .tracking import FaceTracker, Place, open_tracker
from .types import Detections, Face, Frame, FrameResult, Track


class Pipeline:
    """Detects, tracks and classifies the faces of one source.

    Iterate over it inside `with`; it yields a `FrameResult` a frame. It owns what it
    was given and closes it.

    Args:
        source: where the frames come from.
        detector: finds faces in a frame.
        tracker: keeps them between detections.
        schedule: decides between the two.
        classifier: names expressions; None leaves them out.
        models: closed together with the pipeline.
        smoother: smooths expressions over time; None leaves them as they are.
        worker: runs the detector beside the loop, in place of `detector`; None detects in the
            loop, so that a frame that is detected in waits.
        classify_every: frames from one classification of a face to the next.
    """

    def __init__(
        self,
        source: Feed,
        detector: FindFaces,
        tracker: FaceTracker,
        schedule: Schedule,
        classifier: ExpressionClassifier | None = None,
        models: tuple[Backend | Stages, ...] = (),
        smoother: ExpressionSmoother | None = None,
        worker: BackgroundDetector | None = None,
        classify_every: int = 1,
    ) -> None:
        self.source = source
        self._detector = detector
        self._tracker = tracker
        self._schedule = schedule
        self._classifier = classifier
        self._expressions = Expressions(self.labels, smoother, classify_every)
        self._worker = worker
        self._cuts = CutDetector()
        self._since_detection: int | None = None
        # Frames between the last two detections.
        self._followed_for = 1
        # For the worker, when the frame is done.
        self._due: Frame | None = None
        self._stages = [model for model in models if isinstance(model, Stages)]
        self._closing = ExitStack()
        for model in models:
            self._closing.callback(model.close)
        if worker is not None:
            self._closing.callback(worker.close)
        self._closing.callback(source.close)

    @classmethod
    def open(cls, source: str | Path | Feed = "demo", **options: Any) -> Pipeline:
        """Open a source and the models.

        Args:
            source: a URI of `open_source`, or an open feed.
            options: fields of `PipelineConfig`.

        Raises:
            FerError: a file, camera or backend is missing or unusable.
        """
        return cls.from_config(source, PipelineConfig(**options))

    @classmethod
    def from_config(cls, source: str | Path | Feed, config: PipelineConfig) -> Pipeline:
        """Open a source and the models that `config` names; see `open`."""
        with ExitStack() as opened:
            feed = source
            if not isinstance(feed, Feed):
                feed = open_source(str(feed), config.delivery)
            opened.callback(feed.close)
            stages = opened.enter_context(open_stages(config))
            pipeline = cls.from_stages(stages.feeding(feed), stages, config, (stages,))
            opened.pop_all()
            return pipeline

    @classmethod
    def from_stages(
        cls,
        feed: Feed,
        stages: Stages,
        config: PipelineConfig,
        models: tuple[Backend | Stages, ...] = (),
    ) -> Pipeline:
        """A pipeline of open stages, which others may use too.

        Args:
            feed: where the frames come from.
            stages: detector and classifier.
            config: how they are used.
            models: closed together with the pipeline.
        """
        stills = feed.info.stills
        beside = isinstance(feed, LiveFeed) if config.background is None else config.background
        beside = beside and not stills and stages.detects_anywhere
        return cls(
            feed,
            stages.detector,
            open_tracker(config.follower, config.max_age_s, stages.followers),
            Schedule(config.detect_every),
            stages.classifier,
            models,
            None if stills else ExpressionSmoother(config.smooth_s),
            BackgroundDetector(stages.detector) if beside else None,
            config.classify_every,
        )

    @property
    def labels(self) -> tuple[str, ...]:
        """The expression labels, in the model's order; empty without expressions."""
        return self._classifier.labels if self._classifier else ()

    @property
    def plans(self) -> dict[str, str]:
        """How each model runs, and why so, for people."""
        return {name: plan for stages in self._stages for name, plan in stages.plans.items()}

    def __iter__(self) -> Iterator[FrameResult]:
        for frame in self.source:
            with span("frame"):
                result = self.process(frame)
            yield result

    def process(self, frame: Frame) -> FrameResult:
        """Take the next frame through all stages."""
        tracks = self.locate(frame)
        result = FrameResult(frame, self._classify(frame, tracks))
        self.detect_beside()
        return result

    def locate(self, frame: Frame) -> tuple[Track, ...]:
        """Find the faces of the next frame; for who classifies them otherwise."""
        if self.source.info.stills:
            # Without faces to follow, the schedule detects.
            self._tracker.forget()
        self._take_over()
        with span("track"):
            self._tracker.predict(frame)
        if self._should_detect(self._sees_cut(frame)):
            self._detect(frame)
        return self._tracker.tracks

    def detect_beside(self) -> None:
        """Let the worker begin with a frame that is due.

        When all other work for the frame is done: a detection that runs on all cores finds
        them idle until the next frame comes.
        """
        if self._worker is not None and self._due is not None:
            self._worker.submit(self._due, self._tracker.places)
        self._due = None

    def stop(self) -> None:
        """End the iteration after the frame in hand; safe in a signal handler."""
        self.source.stop()

    def close(self) -> None:
        """Close the source and the models; may be called twice."""
        self._closing.close()

    def __enter__(self) -> Pipeline:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _sees_cut(self, frame: Frame) -> bool:
        if self.source.info.stills:
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
            self._correct(frame, self._detector(frame.image))
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

    def _classify(self, frame: Frame, tracks: tuple[Track, ...]) -> tuple[Face, ...]:
        if self._classifier is None:
            return tuple(Face(track, {}) for track in tracks)
        due = self._expressions.due(tracks)
        rows = self._classifier(frame.image, boxes_of(due))
        return self._expressions.faces(tracks, due, rows, frame.time_s)
