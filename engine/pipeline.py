"""The loop: frames in, faces with expressions out."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from .backends import Backend
from .classifier import ExpressionClassifier
from .config import PipelineConfig
from .expressions import boxes_of, landmarks_of
from .lane import NO_ANSWERS, Lane, open_lane
from .sources import Feed
from .stages import Stages, open_stages
from .tracing import span
from .tracking import open_tracker
from .types import Floats, Frame, FrameResult, Track


class Pipeline:
    """Detects, tracks and classifies the faces of one source.

    Iterate over it inside `with`; it yields a `FrameResult` a frame. It owns what it
    was given and closes it.

    Args:
        source: where the frames come from.
        lane: finds their faces and carries them from frame to frame.
        classifier: names expressions; None leaves them out.
        models: closed together with the pipeline.
    """

    def __init__(
        self,
        source: Feed,
        lane: Lane,
        classifier: ExpressionClassifier | None = None,
        models: tuple[Backend | Stages, ...] = (),
    ) -> None:
        self.source = source
        self._lane = lane
        self._classifier = classifier
        self._stages = [model for model in models if isinstance(model, Stages)]
        self._closing = ExitStack()
        for closed in (*models, lane, source):
            self._closing.callback(closed.close)

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
                feed = config.open_source(str(feed))
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
        tracker = open_tracker(config.follower, config.max_age_s, stages.followers)
        lane = open_lane(
            config,
            stages.detector,
            tracker,
            stages.classifier,
            feed.info.stills,
            feed.newest_only,
            stages.detects_anywhere,
        )
        return cls(feed, lane, stages.classifier, models)

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
        tracks = self._lane.locate(frame)
        due = self._lane.due(tracks)
        return self._lane.finish(frame, tracks, due, self._classify(frame, due))

    def _classify(self, frame: Frame, due: list[Track]) -> Floats:
        if self._classifier is None:
            return NO_ANSWERS
        return self._classifier(frame.image, boxes_of(due), landmarks_of(due))

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
