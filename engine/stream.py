"""One source among several: what is its own, and how it is doing."""

from __future__ import annotations

import logging
import threading
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from time import perf_counter

from .classifier import ExpressionClassifier
from .config import PipelineConfig
from .errors import FerError
from .lane import Lane, open_lane
from .redaction import redacted
from .shared_detector import SharedDetector, WatchedDetector
from .sources import Reader, gives_every_frame
from .sources.capture import Arrival, Capture, State, is_live
from .tracking import Followers, open_tracker
from .types import Floats, FrameResult, Track

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
        state: of `capture.State`.
        message: why it failed, or empty.
        captured, processed, dropped: frames; `captured = processed + dropped`.
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


@dataclass(frozen=True)
class Shared:
    """What all sources use.

    Attributes:
        detector: finds faces, in the frames of all sources.
        classifier: names expressions; None leaves them out.
        arrived: notified whenever a frame waits or a state changes; guards the counts.
        opener: opens a reader.
        followers: see `Stages`.
    """

    detector: SharedDetector
    classifier: ExpressionClassifier | None
    arrived: threading.Condition
    opener: Callable[[str], Reader]
    followers: Followers


class Run:
    """One run of a source, from a start to its end: capture, tracker and lane.

    A frame in hand keeps the run it belongs to, so that a start anew leaves it alone.
    All but `status` is called by the loop's thread.
    """

    def __init__(
        self, source: int, number: int, uri: str, config: PipelineConfig, shared: Shared
    ) -> None:
        self.capture = Capture(
            partial(shared.opener, uri),
            partial(gives_every_frame, config.delivery),
            config.connection.reconnect_s,
            shared.arrived,
            redacted(uri),
            is_live(uri),
        )
        self.capture.start()
        self._source = source
        self._number = number
        self._name = redacted(uri)
        self._shared = shared
        self._tracker = open_tracker(config.follower, config.max_age_s, shared.followers)
        # Made anew when the options change.
        self._lane: tuple[PipelineConfig, Lane, WatchedDetector] | None = None
        self._times: deque[float] = deque()
        self._newest: StreamResult | None = None
        self._detect_s: float | None = None
        self._age_s: float | None = None

    def locate(self, arrival: Arrival, config: PipelineConfig) -> Located | None:
        """Find the faces of a frame; None where it cannot be processed."""
        started_s = perf_counter()
        try:
            lane, watched = self._open(config)
            tracks = lane.locate(arrival.frame)
        except Exception as error:  # one source's pictures must not be the end of the others
            self.abandon(error)
            return None
        spent_s, (detect_s, beside) = perf_counter() - started_s, watched.take()
        track_s = spent_s if beside else spent_s - (detect_s or 0.0)
        return Located(self, lane, arrival, tracks, lane.due(tracks), detect_s, track_s)

    def finish(self, located: Located, rows: Floats) -> StreamResult:
        """Give the faces of a frame their expressions, and note how the frame went."""
        arrival = located.arrival
        result = located.lane.finish(arrival.frame, located.tracks, located.due, rows)
        done = StreamResult(
            self._source, self._number, result, arrival.captured_s, located.detect_s,
            located.track_s,
        )  # fmt: skip
        with self._shared.arrived:
            self._note(done)
        return done

    def abandon(self, error: Exception) -> None:
        """End the run: its frames cannot be processed."""
        if not isinstance(error, FerError):
            log.error("source %d failed", self._source, exc_info=error)
        self.capture.abandon(f"its frames cannot be processed ({error})")

    def status(self) -> SourceStatus:
        """How the run is doing; called by any thread."""
        with self._shared.arrived:
            self._forget_old_times()
            capture, newest = self.capture, self._newest
            height, width = newest.result.frame.image.shape[:2] if newest else (0, 0)
            return SourceStatus(
                source=self._source,
                run=self._number,
                name=self._name,
                state=capture.state,
                message=redacted(capture.message),
                captured=capture.captured,
                processed=capture.processed,
                dropped=capture.dropped,
                reconnects=capture.reconnects,
                fps=self._fps(),
                size=(width, height) if newest else None,
                detect_s=self._detect_s,
                track_s=newest.track_s if newest else None,
                age_s=self._age_s,
                faces=len(newest.result.faces) if newest else 0,
            )

    def close(self) -> None:
        """End the detection beside the loop; may be called twice."""
        if self._lane is not None:
            self._lane[1].close()
            self._lane = None

    def _open(self, config: PipelineConfig) -> tuple[Lane, WatchedDetector]:
        """The lane under the options in force; the tracker outlives a change."""
        if self._lane is None or self._lane[0] != config:
            assert self.capture.info is not None, "frames come from open sources"
            self.close()
            info, shared = self.capture.info, self._shared
            watched = WatchedDetector(shared.detector, config.min_score or 0.0)
            lane = open_lane(
                config,
                watched,
                self._tracker,
                shared.classifier,
                info.stills,
                not gives_every_frame(config.delivery, info),
                shared.detector.anywhere,
            )
            self._lane = config, lane, watched
        return self._lane[1:]

    def _note(self, done: StreamResult) -> None:
        self._newest = done
        if done.detect_s is not None:
            self._detect_s = done.detect_s
        now_s = perf_counter()
        self._age_s = now_s - done.captured_s
        self._times.append(now_s)
        self._forget_old_times()

    def _fps(self) -> float:
        if len(self._times) < 2:
            return 0.0
        span_s = max(self._times[-1], perf_counter() - FPS_OVER_S / 4) - self._times[0]
        return (len(self._times) - 1) / span_s

    def _forget_old_times(self) -> None:
        oldest = perf_counter() - FPS_OVER_S
        while self._times and self._times[0] < oldest:
            self._times.popleft()


@dataclass(frozen=True)
class Located:
    """A frame whose faces are known, on its way to the expressions.

    Attributes:
        run, lane: what it belongs to.
        arrival: the frame.
        tracks: its faces.
        due: those of them to classify.
        detect_s, track_s: see `StreamResult`.
    """

    run: Run
    lane: Lane
    arrival: Arrival
    tracks: Sequence[Track]
    due: Sequence[Track]
    detect_s: float | None
    track_s: float


class Stream:
    """A source of several and the run that it is in.

    Args:
        id_: its number.
        uri: see `sources.open_source`.
        config: the options in force.
        shared: what all sources use.
    """

    def __init__(self, id_: int, uri: str, config: PipelineConfig, shared: Shared) -> None:
        self.id = id_
        self._uri = uri
        self._shared = shared
        self._runs = 0
        self.run = Run(id_, 0, uri, config, shared)

    def start(self, config: PipelineConfig) -> Run | None:
        """Go on after a pause, or begin anew; returns the run that is over then."""
        with self._shared.arrived:
            if self.run.capture.state in ("opening", "running", "paused"):
                self.run.capture.resume()
                return None
            over = self.run
            over.capture.stop()
            self._runs += 1
            self.run = Run(self.id, self._runs, self._uri, config, self._shared)
            return over
