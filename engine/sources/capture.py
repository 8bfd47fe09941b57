"""One source on its way to the engine: opened, read, paced and opened again by its own thread."""

from __future__ import annotations

import logging
import threading
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, replace
from time import perf_counter, time
from typing import Literal

from ..errors import FerError, SourceFailed
from ..redaction import redacted
from ..tracing import span
from ..types import Frame
from .base import Reader, SourceInfo

State = Literal["opening", "running", "paused", "ended", "failed", "stopped"]

# Of a source whose every frame counts. A frame of 3840x2160 takes 25 MB.
FRAMES_AHEAD = 4
FIRST_RETRY_S = 1.0

log = logging.getLogger("fer_edge")


def is_live(uri: str) -> bool:
    """Whether a URI names a source that can come back after a failure."""
    return uri.startswith("camera:") or ("://" in uri and not uri.startswith("file://"))


@dataclass(frozen=True)
class Arrival:
    """A frame and the moment it was captured, in seconds of `time.perf_counter`."""

    frame: Frame
    captured_s: float


class Capture:
    """The newest frame of a source, or every frame of it, for one consumer.

    A source that fails touches nobody else: it says why in `message`, and a live one is opened
    again. `captured = processed + dropped`; a frame that waits is not yet counted.

    Args:
        opener: opens the source.
        every: whether, once it is known what it is, it waits for whoever takes its frames; else it
            drops all but the newest.
        reconnect_s: a live source that fails is opened again after 1, 2, 4 and so on up to so many
            seconds; 0 for never.
        arrived: notified whenever a frame waits or the state changes; guards the counts.
        name, live: what is known of the source before it is open.
        reader: it, if it is open; closed by the capture.

    Attributes:
        error: why the state is `failed`.
        info: None before the source was open for the first time.
    """

    def __init__(
        self,
        opener: Callable[[], Reader],
        every: Callable[[SourceInfo], bool],
        reconnect_s: float,
        arrived: threading.Condition,
        name: str = "",
        live: bool = False,
        reader: Reader | None = None,
    ) -> None:
        self.state: State = "opening"
        self.error: FerError | None = None
        self.info = None if reader is None else reader.info
        self.processed = 0
        self.dropped = 0
        self.reconnects = 0
        self._every = every
        self._reconnect_s = reconnect_s
        self._opener = opener
        self._name, self._live_at_first = name, live
        self._reader = reader
        self._arrived = arrived
        self._waiting: deque[Arrival] = deque()
        self._stopped = threading.Event()
        self._unpaused = threading.Event()
        self._unpaused.set()
        self._newest: Arrival | None = None
        self._first, self._first_s = 0, 0.0
        self._thread = threading.Thread(target=self._run, name="capture", daemon=True)

    @property
    def captured(self) -> int:
        """Frames that were taken or dropped."""
        return self.processed + self.dropped

    @property
    def message(self) -> str:
        """Why the source failed, or empty."""
        return "" if self.error is None else str(self.error)

    @property
    def over(self) -> bool:
        """Whether no frame will come any more."""
        ended = self.state in ("ended", "stopped")
        return not self._waiting and (ended or (self.state == "failed" and not self._comes_back))

    @property
    def _live(self) -> bool:
        """Whether it can come back: once it was open, it has said so itself."""
        return self._live_at_first if self.info is None else self.info.live

    @property
    def _comes_back(self) -> bool:
        return self._live and not self._stopped.is_set() and self._reconnect_s > 0

    def start(self) -> None:
        """Begin to read."""
        self._thread.start()

    def take(self) -> Arrival | None:
        """The frame that waits longest, which then waits no more; call with `arrived` held."""
        if self.state == "paused" or not self._waiting:
            return None
        arrival = self._waiting.popleft()
        self.processed += 1
        self._arrived.notify_all()
        return arrival

    def pause(self) -> None:
        """Hold a recording where it is; let the frames of a live source pass unseen."""
        with self._arrived:
            if self.state in ("opening", "running"):
                self._unpaused.clear()
                if self._live:
                    # Old by the time of `resume`.
                    self._drop_waiting()
                self._become("paused")

    def resume(self) -> None:
        """Go on after `pause`."""
        with self._arrived:
            self._unpaused.set()
            if self.state == "paused":
                waits: State = "running" if self.info else "opening"
                self._become("failed" if self.error else waits)

    def stop(self) -> None:
        """Read no more. Returns at once; a camera may take a moment to be let go."""
        self._stopped.set()
        with self._arrived:
            self._unpaused.set()
            self._waiting.clear()
            if self.state not in ("ended", "failed"):
                self._become("stopped")
            self._arrived.notify_all()

    def abandon(self, message: str) -> None:
        """Stop for good and say why: its frames cannot be processed."""
        self.stop()
        with self._arrived:
            self.error = SourceFailed(message)
            self._become("failed")

    def join(self, timeout_s: float) -> None:
        """Wait for the thread to end, but not for ever: drivers may hang."""
        if self._thread.ident is not None:
            self._thread.join(timeout_s)
        elif self._reader is not None:
            self._reader.close()
            self._reader = None

    def _run(self) -> None:
        wait_s = FIRST_RETRY_S
        while not self._stopped.is_set():
            before = self._newest
            if self._read_to_the_end() or not self._comes_back:
                return
            wait_s = FIRST_RETRY_S if self._newest is not before else wait_s
            wait_s = min(wait_s, self._reconnect_s)
            log.warning("%s; opened again in %.3g s", redacted(self.message), wait_s)
            self._stopped.wait(wait_s)
            wait_s *= 2
            self.reconnects += 1

    def _read_to_the_end(self) -> bool:
        """Whether the source came to its end or was stopped; False after a failure."""
        try:
            reader, self._reader = self._reader or self._opener(), None
            try:
                self._opened(reader.info)
                self._read(reader)
            finally:
                reader.close()
        except FerError as error:
            return self._fail(error)
        except Exception as error:  # a bug in one source must not be the end of the others
            log.debug("a reader's error", exc_info=error)
            name = self.info.name if self.info else self._name
            said = f"{name}: cannot be read on ({type(error).__name__}: {error})"
            failure = SourceFailed(said)
            failure.__cause__ = error
            return self._fail(failure)
        with self._arrived:
            if not self._stopped.is_set():
                self._become("ended")
        return True

    def _opened(self, info: SourceInfo) -> None:
        with self._arrived:
            if self.error is not None:
                log.warning("%s: is open again", info.name)
            self.info, self.error = info, None
            # A source that lost its connection in a pause stays paused.
            if self.state in ("opening", "failed"):
                self._become("running")
        if (newest := self._newest) is not None:
            # Frame numbers and times go on after a reconnection.
            since_s = max(1 / info.fps, perf_counter() - newest.captured_s)
            self._first, self._first_s = newest.frame.index + 1, newest.frame.time_s + since_s

    def _read(self, reader: Reader) -> None:
        live, every = reader.info.live, self._every(reader.info)
        paced = not every and not live
        started_s = perf_counter()
        while not self._stopped.is_set():
            if not live:
                started_s += self._wait_while_paused()
            with span("decode"):
                frame = reader.read()
            if frame is None:
                return
            self._check(frame, reader.info)
            if paced:
                self._stopped.wait(max(0.0, started_s + frame.time_s - perf_counter()))
            if live:
                index, time_s = self._first + frame.index, self._first_s + frame.time_s
                frame = replace(frame, index=index, time_s=time_s, utc_s=time())
            self._newest = Arrival(frame, perf_counter())
            self._offer(self._newest, every)

    def _check(self, frame: Frame, info: SourceInfo) -> None:
        shape = frame.image.shape
        if len(shape) != 3 or shape[2] != 3 or not frame.image.size:
            raise SourceFailed(
                f"{info.name}: gives frames of shape {shape}; "
                "expected height, width and three colours"
            )

    def _wait_while_paused(self) -> float:
        """Seconds spent in a pause."""
        if self._unpaused.is_set():
            return 0.0
        began_s = perf_counter()
        self._unpaused.wait()
        return perf_counter() - began_s

    def _offer(self, arrival: Arrival, every: bool) -> None:
        with self._arrived:
            while every and len(self._waiting) >= FRAMES_AHEAD and not self._stopped.is_set():
                self._arrived.wait(timeout=0.5)
            if self._stopped.is_set():
                return
            if not every:
                self._drop_waiting()
            if self.state == "paused" and self._live:
                self.dropped += 1
                return
            self._waiting.append(arrival)
            self._arrived.notify_all()

    def _drop_waiting(self) -> None:
        self.dropped += len(self._waiting)
        self._waiting.clear()

    def _fail(self, error: FerError) -> bool:
        with self._arrived:
            if self._stopped.is_set():
                return True
            self.error = error
            if self.state != "paused" or not self._live:
                self._become("failed")
        return False

    def _become(self, state: State) -> None:
        self.state = state
        self._arrived.notify_all()
