"""The loop: frames in, faces with expressions out."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import numpy as np

from .backends import Backend, open_backend
from .classifier import ExpressionClassifier
from .config import PipelineConfig
from .detector import Detector
from .scheduler import Schedule
from .sources import Feed, open_source
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
        backends: closed together with the pipeline.
    """

    def __init__(
        self,
        source: Feed,
        detector: Detector,
        tracker: FaceTracker,
        schedule: Schedule,
        classifier: ExpressionClassifier | None = None,
        backends: tuple[Backend, ...] = (),
    ) -> None:
        self.source = source
        self._detector = detector
        self._tracker = tracker
        self._schedule = schedule
        self._classifier = classifier
        self._since_detection: int | None = None
        self._closing = ExitStack()
        for backend in backends:
            self._closing.callback(backend.close)
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
            backends = [opened.enter_context(open_backend(config.detector_path, config.backend))]
            if config.classify:
                second = open_backend(config.expression_path, config.backend)
                backends.append(opened.enter_context(second))
            pipeline = cls(
                feed,
                Detector(backends[0], config.min_score),
                open_tracker(config.tracker),
                Schedule(config.detect_every),
                ExpressionClassifier(backends[1]) if config.classify else None,
                tuple(backends),
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
        self._tracker.predict(frame)
        if self._should_detect():
            self._tracker.correct(frame, self._detector(frame.image))
            self._since_detection = 0
        else:
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
        health = self._tracker.health
        return self._schedule.should_detect(self._since_detection, health.faces, health.lost)

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
