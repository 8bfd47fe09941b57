"""One source on its way to the engine: opened, read, paced and opened again by its own thread."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from dataclasses import dataclass, replace
from time import perf_counter
from typing import Literal

from .errors import FerError, SourceFailed
from .sources import Delivery, Reader, SourceInfo, gives_every_frame, open_reader
from .types import Frame

State = Literal["opening", "running", "paused", "ended", "failed", "stopped"]

FIRST_RETRY_S = 1.0
LONGEST_RETRY_S = 30.0

log = logging.getLogger("fer_edge")


def is_live(uri: str) -> bool:
    """Whether a URI names a source that can come back after a failure."""
    return uri.startswith("camera:") or ("://" in uri and not uri.startswith("file://"))


@dataclass(frozen=True)
class Arrival:
    """A frame and the moment it was captured, in seconds of `time.perf_counter`."""

    frame: Frame
    captured_s: float


class Inlet:
    """The newest frame of a source, or every frame of it, for one consumer.

    A source that fails touches nobody else: it says why in `message`, and a live one is
    opened again after 1, 2, 4, up to 30 seconds. `captured = processed + dropped + waiting`,
    with `waiting` 0 or 1.

    Args:
        uri: see `sources.open_source`.
        delivery: see `sources.open_source`.
        arrived: notified whenever a frame waits or the state changes.
        opener: opens the reader; `open_reader` by default.
    """

    def __init__(
        self,
        uri: str,
        delivery: Delivery,
        arrived: threading.Condition,
        opener: Callable[[str], Reader] = open_reader,
    ) -> None:
        self.uri = uri
        self.state: State = "opening"
        self.message = ""
        self.info: SourceInfo | None = None
        self.captured = 0
        self.processed = 0
        self.reconnects = 0
        self._delivery = delivery
        self._opener = opener
        self._arrived = arrived
        self._waiting: Arrival | None = None
        self._stopped = threading.Event()
        self._unpaused = threading.Event()
        self._unpaused.set()
        self._next_index, self._next_s = 0, 0.0
        self._thread = threading.Thread(target=self._run, name="inlet", daemon=True)
        self._thread.start()

    @property
    def dropped(self) -> int:
        """Frames that were read and that nobody was given."""
        with self._arrived:
            return self.captured - self.processed - (self._waiting is not None)

    @property
    def over(self) -> bool:
        """Whether no frame will come any more."""
        ended = self.state in ("ended", "stopped")
        return self._waiting is None and (ended or (self.state == "failed" and not self._live))

    @property
    def _live(self) -> bool:
        """Whether it can come back: once it was open, it has said so itself."""
        return is_live(self.uri) if self.info is None else self.info.live

    def take(self) -> Arrival | None:
        """The waiting frame, which is then no longer waiting; call with `arrived` held."""
        if self.state == "paused":
            return None
        arrival, self._waiting = self._waiting, None
        if arrival is not None:
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
                    self._waiting = None
                self._become("paused")

    def resume(self) -> None:
        """Go on after `pause`."""
        with self._arrived:
            self._unpaused.set()
            if self.state == "paused":
                waits = "running" if self.info else "opening"
                self._become("failed" if self.message else waits)  # type: ignore[arg-type]

    def stop(self) -> None:
        """Read no more. Returns at once; a camera may take a moment to be let go."""
        self._stopped.set()
        with self._arrived:
            self._unpaused.set()
            self._waiting = None
            if self.state not in ("ended", "failed"):
                self._become("stopped")
            self._arrived.notify_all()

    def abandon(self, message: str) -> None:
        """Stop for good and say why: its frames cannot be processed."""
        self.stop()
        with self._arrived:
            self.message = message
            self._become("failed")

    def join(self, timeout_s: float) -> None:
        """Wait for the thread to end, but not for ever: drivers may hang."""
        self._thread.join(timeout_s)

    def _run(self) -> None:
        wait_s = FIRST_RETRY_S
        while not self._stopped.is_set():
            before = self.captured
            if self._read_to_the_end() or not self._live:
                return
            wait_s = FIRST_RETRY_S if self.captured > before else wait_s
            self._stopped.wait(wait_s)
            wait_s = min(2 * wait_s, LONGEST_RETRY_S)
            self.reconnects += 1

    def _read_to_the_end(self) -> bool:
        """Whether the source came to its end or was stopped; False after a failure."""
        try:
            reader = self._opener(self.uri)
            try:
                self._opened(reader.info)
                self._read(reader)
            finally:
                reader.close()
        except FerError as error:
            return self._fail(str(error))
        except Exception as error:  # a bug in one source must not be the end of the others
            log.exception("source failed")
            return self._fail(f"unexpected error ({type(error).__name__}: {error})")
        with self._arrived:
            if not self._stopped.is_set():
                self._become("ended")
        return True

    def _opened(self, info: SourceInfo) -> None:
        with self._arrived:
            self.info, self.message = info, ""
            # A source that lost its connection in a pause stays paused.
            if self.state in ("opening", "failed"):
                self._become("running")

    def _read(self, reader: Reader) -> None:
        every = gives_every_frame(self._delivery, reader.info)
        paced = not every and not reader.info.live
        # Frame numbers and times go on after a reconnection.
        first, first_s = self._next_index, self._next_s
        started_s = perf_counter()
        while not self._stopped.is_set():
            if not reader.info.live:
                started_s += self._wait_while_paused()
            frame = reader.read()
            if frame is None:
                return
            if frame.image.ndim != 3 or frame.image.shape[2] != 3 or not frame.image.size:
                raise SourceFailed(
                    f"{reader.info.name}: gives frames of shape {frame.image.shape}; "
                    "expected height, width and three colours"
                )
            if paced:
                self._stopped.wait(max(0.0, started_s + frame.time_s - perf_counter()))
            if first:
                frame = replace(frame, index=first + frame.index, time_s=first_s + frame.time_s)
            self._offer(Arrival(frame, perf_counter()), every)
            self._next_index = frame.index + 1
            self._next_s = frame.time_s + 1 / reader.info.fps

    def _wait_while_paused(self) -> float:
        """Seconds spent in a pause."""
        if self._unpaused.is_set():
            return 0.0
        began_s = perf_counter()
        self._unpaused.wait()
        return perf_counter() - began_s

    def _offer(self, arrival: Arrival, every: bool) -> None:
        with self._arrived:
            self.captured += 1
            while every and self._waiting is not None and not self._stopped.is_set():
                self._arrived.wait(timeout=0.5)
            if self._stopped.is_set() or (self.state == "paused" and self._live):
                return
            self._waiting = arrival
            self._arrived.notify_all()

    def _fail(self, message: str) -> bool:
        with self._arrived:
            if self._stopped.is_set():
                return True
            self.message = message
            if self.state != "paused" or not self._live:
                self._become("failed")
        return False

    def _become(self, state: State) -> None:
        self.state = state
        self._arrived.notify_all()
