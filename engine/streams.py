"""The loop for several sources: one detector, one run of the expression model for all of them."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from time import perf_counter

from .classifier import ExpressionClassifier
from .config import PipelineConfig
from .detector import FindFaces
from .errors import BadInput, InputNotFound
from .expressions import boxes_of, landmarks_of
from .lane import NO_ANSWERS
from .shared_detector import SharedDetector
from .sources import Reader, open_reader
from .sources.capture import Arrival
from .stages import open_stages
from .stream import Located, Run, Shared, SourceStatus, Stream, StreamResult
from .tracking import FOLLOWERS, Followers
from .types import Floats

__all__ = ["MAX_SOURCES", "SourceStatus", "StreamResult", "Streams"]

MAX_SOURCES = 16


class Streams:
    """Detects, tracks and classifies the faces of several sources with one set of models.

    Iterate over it inside `with`, as over a `Pipeline`; it yields a `StreamResult` a frame,
    until all sources have ended, or `stop()`. Each round takes the newest frame of every
    source that has one. Each source has its own tracker and schedule; sources come, go and
    fail without touching the others. All methods may be called from other threads; changes
    take effect between frames.

    Args:
        detector: finds faces, in the frames of all sources.
        classifier: names expressions; None leaves them out.
        config: options of the sources' lanes; models and backend are not read.
        close: gives the models' memory back.
        detects_anywhere: whether the detector may run on threads of the sources' own.
        opener: opens a source; `open_reader` by default.
        followers: see `Stages`.

    Attributes:
        endless: wait for other sources when all have ended.
        beat_s: when the last round began, in seconds of `time.perf_counter`.
    """

    def __init__(
        self,
        detector: FindFaces,
        classifier: ExpressionClassifier | None,
        config: PipelineConfig,
        close: Callable[[], None] = lambda: None,
        detects_anywhere: bool = True,
        opener: Callable[[str], Reader] = open_reader,
        followers: Followers = FOLLOWERS,
    ) -> None:
        self._classifier = classifier
        self._config = config
        self._close = close
        self._arrived = threading.Condition()
        self._shared = Shared(
            SharedDetector(detector, detects_anywhere), self._classifier, self._arrived, opener,
            followers,
        )  # fmt: skip
        self._streams: tuple[Stream, ...] = ()
        # Left to the thread of the loop, which may have a frame of theirs in hand.
        self._over: deque[Run] = deque()
        self._last_id = 0
        self._stopped = False
        self.endless = False
        self.beat_s = perf_counter()

    @classmethod
    def from_config(
        cls, config: PipelineConfig, opener: Callable[[str], Reader] | None = None
    ) -> Streams:
        """Open the models that `config` names, and sources as it says unless by `opener`.

        Raises:
            FerError: a file or backend is missing or unusable.
        """
        # Scores are filtered frame by frame, so that the bound can change.
        stages = open_stages(replace(config, min_score=0.0))
        if config.min_score is None:
            config = replace(config, min_score=stages.default_score)
        if config.min_confidence is None and stages.classifier is not None:
            least = stages.classifier.facts.least_confidence
            config = replace(config, min_confidence=least)
        return cls(
            stages.detector,
            stages.classifier,
            config,
            stages.close,
            stages.detects_anywhere,
            opener or config.open_reader,
            stages.followers,
        )

    @property
    def labels(self) -> tuple[str, ...]:
        """The expression labels, in the model's order; empty without expressions."""
        return self._classifier.labels if self._classifier else ()

    @property
    def config(self) -> PipelineConfig:
        """The options in force."""
        return self._config

    @property
    def sources(self) -> tuple[SourceStatus, ...]:
        """The state of every source, in the order they were added."""
        return tuple(stream.run.status() for stream in self._streams)

    def configure(self, config: PipelineConfig) -> None:
        """Use other options from the next frame on; models, backend and tracker stay."""
        self._config = config

    def add(self, uri: str) -> int:
        """Add a source and start it; returns its number.

        Raises:
            BadInput: there are sixteen sources already.
        """
        with self._arrived:
            if len(self._streams) >= MAX_SOURCES:
                raise BadInput(f"there are {MAX_SOURCES} sources already; remove one first")
            self._last_id += 1
            stream = Stream(self._last_id, uri, self._config, self._shared)
            self._streams = (*self._streams, stream)
            return stream.id

    def remove(self, source: int) -> None:
        """Stop a source and forget it; InputNotFound where there is none of that number."""
        with self._arrived:
            stream = self._stream(source)
            self._streams = tuple(other for other in self._streams if other is not stream)
            stream.run.capture.stop()
            self._over.append(stream.run)

    def start(self, source: int) -> None:
        """Go on after a pause; open the source anew after its end, a failure or `halt`."""
        with self._arrived:
            over = self._stream(source).start(self._config)
            if over is not None:
                self._over.append(over)

    def pause(self, source: int) -> None:
        """Hold a source; see `Capture.pause`."""
        self._stream(source).run.capture.pause()

    def halt(self, source: int) -> None:
        """Close a source, and keep it in the list."""
        self._stream(source).run.capture.stop()

    def stop(self) -> None:
        """End the iteration after the round in hand; safe in a signal handler."""
        self._stopped = True

    def __iter__(self) -> Iterator[StreamResult]:
        while not self._stopped and (self.endless or not self._ended):
            config = self._config
            located = [run.locate(arrival, config) for run, arrival in self._gather()]
            yield from self._classify([one for one in located if one is not None])

    @property
    def _ended(self) -> bool:
        return all(stream.run.capture.over for stream in self._streams)

    def _gather(self) -> list[tuple[Run, Arrival]]:
        """The waiting frames; empty after a while without any."""
        self.beat_s = perf_counter()
        while self._over:
            self._over.popleft().close()
        with self._arrived:
            taken = self._take_all()
            if not taken:
                # stop() may run in a signal handler, which must not take this lock to
                # notify: so look again now and then.
                self._arrived.wait(timeout=0.1)
                taken = self._take_all()
        return taken

    def _take_all(self) -> list[tuple[Run, Arrival]]:
        waiting = [(stream.run, stream.run.capture.take()) for stream in self._streams]
        return [(run, arrival) for run, arrival in waiting if arrival is not None]

    def _classify(self, located: Sequence[Located]) -> Iterator[StreamResult]:
        try:
            rows = self._answers(located)
        except Exception as error:  # one source's pictures must not be the end of the others
            if len(located) == 1:
                located[0].run.abandon(error)
                return
            for one in located:
                yield from self._classify([one])
            return
        for one, answers in zip(located, rows, strict=True):
            yield one.run.finish(one, answers)

    def _answers(self, located: Sequence[Located]) -> Sequence[Floats]:
        if self._classifier is None:
            return [NO_ANSWERS] * len(located)
        return self._classifier.batch(
            [(one.arrival.frame.image, boxes_of(one.due), landmarks_of(one.due)) for one in located]
        )

    def _stream(self, source: int) -> Stream:
        for stream in self._streams:
            if stream.id == source:
                return stream
        raise InputNotFound(f"there is no source {source}")

    def close(self) -> None:
        """Stop all sources and close the models; may be called twice."""
        self.stop()
        streams, self._streams = self._streams, ()
        for stream in streams:
            stream.run.capture.stop()
        for run in (*(stream.run for stream in streams), *self._over):
            run.capture.join(2.0)
            run.close()
        self._close()

    def __enter__(self) -> Streams:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
