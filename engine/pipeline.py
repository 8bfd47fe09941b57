"""The loop: frames in, faces with expressions out."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import numpy as np

from .backends import Backend
from .classifier import ExpressionClassifier
from .config import PipelineConfig
from .detector import Detector
from .scheduler import Schedule
from .sources import Feed, open_source
from .stages import Stages, open_stages
from .tracking import FaceTracker, open_tracker
from .types import Face, Frame, FrameResult, Image


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
    """

    def __init__(
        self,
        source: Feed,
        detector: Detector,
        tracker: FaceTracker,
        schedule: Schedule,
        classifier: ExpressionClassifier | None = None,
        models: tuple[Backend | Stages, ...] = (),
    ) -> None:
        self.source = source
        self._detector = detector
        self._tracker = tracker
        self._schedule = schedule
        self._classifier = classifier
        self._since_detection: int | None = None
        self._closing = ExitStack()
        for model in models:
            self._closing.callback(model.close)
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
            pipeline = cls(
                stages.feeding(feed),
                stages.detector,
                open_tracker(config.tracker),
                Schedule(config.detect_every),
                stages.classifier,
                (stages,),
            )
            opened.pop_all()
            return pipeline

    @property
    def labels(self) -> tuple[str, ...]:
        """The expression labels, in the model's order; empty without expressions."""
        return self._classifier.labels if self._classifier else ()

    def __iter__(self) -> Iterator[FrameResult]:
        for frame in self.source:
            yield self.process(frame)

    def process(self, frame: Frame) -> FrameResult:
        """Take the next frame through all stages."""
        if self.source.info.stills:
            # Without faces to follow, the schedule detects.
            self._tracker.forget()
        if self._should_detect():
            self._tracker.correct(frame.image, self._detector(frame.image))
            self._since_detection = 0
        else:
            self._tracker.predict(frame.image)
            self._since_detection = (self._since_detection or 0) + 1
        return FrameResult(frame, self._classify(frame.image))

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

    def _should_detect(self) -> bool:
        return self._schedule.should_detect(
            self._since_detection, len(self._tracker.tracks), self._tracker.lost
        )

    def _classify(self, image: Image) -> tuple[Face, ...]:
        tracks = self._tracker.tracks
        if self._classifier is None:
            return tuple(Face(track, {}) for track in tracks)
        boxes = np.array([track.box for track in tracks], np.float32).reshape(-1, 4)
        rows = self._classifier(image, boxes)
        labels = self._classifier.labels
        return tuple(
            Face(track, dict(zip(labels, row.tolist(), strict=True)))
            for track, row in zip(tracks, rows, strict=True)
        )
