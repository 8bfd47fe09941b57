"""The loop for several sources: one detector, one run of the expression model for all of them."""

from __future__ import annotations

import logging
import threading
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from time import perf_counter

import numpy as np

from .background import BackgroundDetector
from .classifier import ExpressionClassifier
from .config import PipelineConfig
from .detector import FindFaces
from .errors import BadInput, InputNotFound
from .expressions import Expressions, boxes_of
from .inlet import Arrival, Inlet, State
from .pipeline import Pipeline
from .redaction import redacted
from .scheduler import Schedule
from .smoothing import ExpressionSmoother
from .sources import Reader, SourceInfo, gives_every_frame, open_reader
from .sources.base import LosslessFeed
from .stages import open_stages
from .tracking import FOLLOWERS, Followers, open_tracker
from .types import Detections, Face, FrameResult, Image, Track

MAX_SOURCES = 16
FPS_OVER_S = 2.0

log = logging.getLogger("fer_edge")


@dataclass(frozen=True)
class StreamResult:
    """A frame of one of several sources.

    Attributes:
        source: number of the source, from 1, never used twice in a run.
        run: how often the source was started before; ids of faces begin anew with each run.
        result: the frame and its faces.
        captured_s: when the frame was captured, in seconds of `time.perf_counter`.
        detect_s: seconds of the detection that came to its end with this frame, in it or beside
            the loop; None where there was none.
        track_s: seconds spent on the frame besides detection and classification.
    """

    source: int
    run: int
    result: FrameResult
    captured_s: float
    detect_s: float | None
    track_s: float


@dataclass(frozen=True)
class SourceStatus:
    """How a source is doing.

    Attributes:
        source, run: see `StreamResult`.
        name: its address without credentials.
        state: of `inlet.State`.
        message: why it failed, or empty.
        captured, processed, dropped: frames; `captured = processed + dropped`, and one more
            while a frame waits.
        reconnects: attempts to open a live source again.
        fps: processed frames a second over the last two seconds.
        size: width and height of the newest frame in pixels; None before the first.
        detect_s, track_s: of the newest frame of that kind; None before the first.
        age_s: of the newest frame when its result was there; None before the first.
        faces: in the newest frame.
    """

    source: int
    run: int
    name: str
    state: State
    message: str
    captured: int
    processed: int
    dropped: int
    reconnects: int
    fps: float
    size: tuple[int, int] | None
    detect_s: float | None
    track_s: float | None
    age_s: float | None
    faces: int


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
        config: options of the sources' pipelines; models and backend are not read.
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
        self._detector = _Shared(detector, detects_anywhere)
        self._classifier = classifier
        self._config = config
        self._close = close
        self._opener = opener
        self._followers = followers
        self._lanes: tuple[_Lane, ...] = ()
        # Left to the thread of the loop, which may be using them.
        self._removed: deque[_Lane] = deque()
        self._last_id = 0
        self._arrived = threading.Condition()
        self._stopped = False
        self.endless = False
        self.beat_s = perf_counter()

    @classmethod
    def from_config(
        cls, config: PipelineConfig, opener: Callable[[str], Reader] = open_reader
    ) -> Streams:
        """Open the models that `config` names; see the class for `opener`.

        Raises:
            FerError: a file or backend is missing or unusable.
        """
        # Scores are filtered frame by frame, so that the bound can change.
        stages = open_stages(replace(config, min_score=0.0))
        if config.min_score is None:
            config = replace(config, min_score=stages.default_score)
        return cls(
            stages.detector,
            stages.classifier,
            config,
            stages.close,
            stages.detects_anywhere,
            opener,
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
        return tuple(lane.status() for lane in self._lanes)

    def configure(self, config: PipelineConfig) -> None:
        """Use other options from the next frame on; models, backend and tracker stay."""
        self._config = config

    def add(self, uri: str) -> int:
        """Add a source and start it; returns its number.

        Raises:
            BadInput: there are sixteen sources already.
        """
        with self._arrived:
            if len(self._lanes) >= MAX_SOURCES:
                raise BadInput(f"there are {MAX_SOURCES} sources already; remove one first")
            self._last_id += 1
            lane = _Lane(
                self._last_id, uri, self._config, self._arrived, self._opener, self._followers
            )
            self._lanes = (*self._lanes, lane)
            return lane.id

    def remove(self, source: int) -> None:
        """Stop a source and forget it; InputNotFound where there is none of that number."""
        lane = self._lane(source)
        with self._arrived:
            self._lanes = tuple(other for other in self._lanes if other is not lane)
        lane.inlet.stop()
        self._removed.append(lane)

    def start(self, source: int) -> None:
        """Go on after a pause; open the source anew after its end, a failure or `halt`."""
        self._lane(source).start(self._config)

    def pause(self, source: int) -> None:
        """Hold a source; see `Inlet.pause`."""
        self._lane(source).inlet.pause()

    def halt(self, source: int) -> None:
        """Close a source, and keep it in the list."""
        self._lane(source).inlet.stop()

    def stop(self) -> None:
        """End the iteration after the round in hand; safe in a signal handler."""
        self._stopped = True

    def __iter__(self) -> Iterator[StreamResult]:
        while not self._stopped and (self.endless or not self._over):
            config = self._config
            located = [
                lane.locate(a, self._detector, config, self.labels) for lane, a in self._gather()
            ]
            yield from self._classify([pair for pair in located if pair is not None])

    @property
    def _over(self) -> bool:
        return all(lane.inlet.over for lane in self._lanes)

    def _gather(self) -> list[tuple[_Lane, Arrival]]:
        """The waiting frames; empty after a while without any."""
        self.beat_s = perf_counter()
        while self._removed:
            self._removed.popleft().close()
        with self._arrived:
            taken = self._take_all()
            if not taken:
                # stop() may run in a signal handler, which must not take this lock to
                # notify: so look again now and then.
                self._arrived.wait(timeout=0.1)
                taken = self._take_all()
        return taken

    def _take_all(self) -> list[tuple[_Lane, Arrival]]:
        waiting = [(lane, lane.inlet.take()) for lane in self._lanes]
        return [(lane, arrival) for lane, arrival in waiting if arrival is not None]

    def _classify(self, located: Sequence[tuple[_Lane, StreamResult]]) -> Iterator[StreamResult]:
        due = [lane.due(result) for lane, result in located]
        if self._classifier is None:
            rows: Sequence[np.ndarray] = [np.empty((len(faces), 0), np.float32) for faces in due]
        else:
            rows = self._classifier.batch(
                [
                    (result.result.frame.image, boxes_of(faces))
                    for (_, result), faces in zip(located, due, strict=True)
                ]
            )
        for (lane, result), faces, answers in zip(located, due, rows, strict=True):
            yield lane.finish(result, faces, answers)

    def _lane(self, source: int) -> _Lane:
        for lane in self._lanes:
            if lane.id == source:
                return lane
        raise InputNotFound(f"there is no source {source}")

    def close(self) -> None:
        """Stop all sources and close the models; may be called twice."""
        self.stop()
        lanes, self._lanes = self._lanes, ()
        for lane in lanes:
            lane.inlet.stop()
        for lane in (*lanes, *self._removed):
            lane.inlet.join(2.0)
            lane.close()
        self._close()

    def __enter__(self) -> Streams:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


class _Lane:
    """One source with all that is its own."""

    def __init__(
        self,
        id_: int,
        uri: str,
        config: PipelineConfig,
        arrived: threading.Condition,
        opener: Callable[[str], Reader],
        followers: Followers,
    ) -> None:
        self.id = id_
        self.run = 0
        self._pipeline: Pipeline | None = None
        self._watched: _Watched | None = None
        self._expressions: Expressions | None = None
        self._uri = uri
        self._arrived = arrived
        self._opener = opener
        self._followers = followers
        self._begin(config)

    def _begin(self, config: PipelineConfig) -> None:
        self.inlet = Inlet(self._uri, config.delivery, self._arrived, self._opener)
        self._tracker = open_tracker(config.follower, config.max_age_s, self._followers)
        # Made anew for the next frame.
        self._config: PipelineConfig | None = None
        self._times: deque[float] = deque()
        self._newest: StreamResult | None = None
        self._detect_s: float | None = None
        self._track_s: float | None = None
        self._age_s: float | None = None

    def start(self, config: PipelineConfig) -> None:
        with self._arrived:
            if self.inlet.state in ("opening", "running", "paused"):
                self.inlet.resume()
                return
            self.inlet.stop()
            self.run += 1
            self._begin(config)

    def locate(
        self,
        arrival: Arrival,
        detector: _Shared,
        config: PipelineConfig,
        labels: tuple[str, ...],
    ) -> tuple[_Lane, StreamResult] | None:
        """Find the faces of a frame, without expressions; None for one that is no picture."""
        run = self.run
        pipeline, watched = self._stages(detector, config, labels)
        started_s = perf_counter()
        try:
            tracks = pipeline.locate(arrival.frame)
        except Exception as error:  # one source's pictures must not be the end of the others
            log.exception("source %d failed", self.id)
            self.inlet.abandon(f"its frames cannot be processed ({error})")
            return None
        spent_s, (detect_s, beside) = perf_counter() - started_s, watched.take()
        track_s = spent_s if beside else spent_s - (detect_s or 0.0)
        result = FrameResult(arrival.frame, tuple(Face(track, {}) for track in tracks))
        return self, StreamResult(self.id, run, result, arrival.captured_s, detect_s, track_s)

    def due(self, located: StreamResult) -> list[Track]:
        """The faces of the frame that are to be classified."""
        assert self._expressions is not None, "frames are located first"
        return self._expressions.due([face.track for face in located.result.faces])

    def finish(self, located: StreamResult, due: Sequence[Track], rows: np.ndarray) -> StreamResult:
        """Give the faces their expressions, and note how the frame went."""
        assert self._expressions is not None, "frames are located first"
        result = located.result
        tracks = [face.track for face in result.faces]
        faces = self._expressions.faces(tracks, due, rows, result.frame.time_s)
        done = replace(located, result=FrameResult(result.frame, faces))
        if self._pipeline is not None:
            self._pipeline.detect_beside()
        with self._arrived:
            self._note(done)
        return done

    def _note(self, done: StreamResult) -> None:
        self._newest = done
        if done.detect_s is not None:
            self._detect_s = done.detect_s
        self._track_s = done.track_s
        now_s = perf_counter()
        self._age_s = now_s - done.captured_s
        self._times.append(now_s)
        self._forget_old_times()

    def status(self) -> SourceStatus:
        with self._arrived:
            self._forget_old_times()
            inlet, newest = self.inlet, self._newest
            height, width = newest.result.frame.image.shape[:2] if newest else (0, 0)
            return SourceStatus(
                source=self.id,
                run=self.run,
                name=redacted(self._uri),
                state=inlet.state,
                message=redacted(inlet.message),
                captured=inlet.captured,
                processed=inlet.processed,
                dropped=inlet.dropped,
                reconnects=inlet.reconnects,
                fps=self._fps(),
                size=(width, height) if newest else None,
                detect_s=self._detect_s,
                track_s=self._track_s,
                age_s=self._age_s,
                faces=len(newest.result.faces) if newest else 0,
            )

    def _fps(self) -> float:
        if len(self._times) < 2:
            return 0.0
        span_s = max(self._times[-1], perf_counter() - FPS_OVER_S / 4) - self._times[0]
        return (len(self._times) - 1) / span_s

    def _forget_old_times(self) -> None:
        oldest = perf_counter() - FPS_OVER_S
        while self._times and self._times[0] < oldest:
            self._times.popleft()

    def _stages(
        self, detector: _Shared, config: PipelineConfig, labels: tuple[str, ...]
    ) -> tuple[Pipeline, _Watched]:
        """The lane's pipeline under the options in force; the tracker outlives a change."""
        if self._pipeline is None or self._watched is None or self._config is not config:
            assert self.inlet.info is not None, "frames come from open sources"
            self.close()
            info = self.inlet.info
            self._config = config
            self._watched = watched = _Watched(detector, config.min_score or 0.0)
            smoother = None if info.stills else ExpressionSmoother(config.smooth_s)
            self._expressions = Expressions(labels, smoother, config.classify_every)
            beside = not gives_every_frame(config.delivery, info)
            if config.background is not None:
                beside = config.background
            beside = beside and not info.stills and detector.anywhere
            self._pipeline = Pipeline(
                _Described(info),
                watched,
                self._tracker,
                Schedule(config.detect_every),
                worker=BackgroundDetector(watched) if beside else None,
            )
        return self._pipeline, self._watched

    def close(self) -> None:
        """End the detection beside the loop; may be called twice, by the loop's thread."""
        if self._pipeline is not None:
            self._pipeline.close()
            self._pipeline = None


class _Shared:
    """The detector that all sources share, one frame at a time, whichever thread it is on."""

    def __init__(self, detector: FindFaces, anywhere: bool) -> None:
        self.anywhere = anywhere
        self._detector = detector
        self._one_at_a_time = threading.Lock()

    def __call__(self, image: Image) -> Detections:
        with self._one_at_a_time:
            return self._detector(image)


class _Watched:
    """A shared detector under one source's least score, and how long it took.

    Suppression works from the best score downwards, so that leaving out the low ones after
    it is the same as before it.
    """

    def __init__(self, detector: _Shared, min_score: float) -> None:
        self._shared = detector
        self._least = min_score
        self._spent: tuple[float, int] | None = None

    def __call__(self, image: Image) -> Detections:
        """Find the faces of a frame; see `Detector`."""
        started_s = perf_counter()
        found = self._shared(image)
        kept = found.scores > self._least
        self._spent = (perf_counter() - started_s, threading.get_ident())
        return found.take(kept)

    def take(self) -> tuple[float | None, bool]:
        """Seconds of the last detection, once, and whether another thread made it."""
        spent, self._spent = self._spent, None
        return (None, False) if spent is None else (spent[0], spent[1] != threading.get_ident())


class _Described(LosslessFeed):
    """What a pipeline must know of a source whose frames it is handed one by one."""

    def __init__(self, info: SourceInfo) -> None:
        self.info = info

    def close(self) -> None:
        """Do nothing: the inlet closes its reader."""
