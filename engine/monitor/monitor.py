"""The monitor's centre: what the engine tells it, what the API asks of it."""

from __future__ import annotations

import logging
import threading
import time
from collections import deque
from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import dataclass, replace
from time import perf_counter
from typing import Any

from ..config import PipelineConfig
from ..errors import BadInput
from ..streams import StreamResult, Streams
from .actions import Actions, message
from .history_queries import HistoryQueries
from .history_writer import HistoryWriter
from .media import Media
from .options import MonitorOptions
from .pictures import MAX_VIEWERS, Pictures, View
from .records import Records
from .rulebook import read_rulebook
from .rules import Firing, RuleEngine
from .seconds import Seconds, SourceSecond
from .watchdog import notify

TIMELINE_S = 600
MESSAGES = 50
# A round takes milliseconds; a loop that is silent for so long hangs.
ALIVE_WITHIN_S = 10.0

log = logging.getLogger("fer_edge")


@dataclass(frozen=True)
class Message:
    """What a rule says on the page.

    Attributes:
        id: counts from 1.
        fields: see `actions.message`.
    """

    id: int
    fields: Mapping[str, Any]


class Monitor:
    """Watches an engine: pictures, records, seconds, rules and history. A context manager.

    `observe` is called by the thread that runs the engine and never waits; everything else
    may be called by any thread.

    Args:
        streams: the engine; the monitor controls it, and does not close it.
        options: see `MonitorOptions`.
        fixed: whether sources stay as they are, because a run writes them to files.

    Raises:
        FerError: the rules or the history cannot be used.
    """

    def __init__(self, streams: Streams, options: MonitorOptions, fixed: bool = False) -> None:
        rulebook = read_rulebook(options.rules)
        self.streams = streams
        self.options = options
        self.levels = rulebook.levels
        self.media = Media(options.media)
        self.started = time.time()
        self.viewers = 0
        self._fixed = fixed
        self._view = View(blur=streams.config.blur)
        self._rules = RuleEngine(rulebook.rules)
        self._seconds = Seconds(rulebook.levels)
        self._timelines: dict[int, deque[SourceSecond]] = {}
        self._messages: deque[Message] = deque(maxlen=MESSAGES)
        self._said = 0
        self._lock = threading.Lock()
        self._closed = threading.Event()
        self._closing = ExitStack()
        with ExitStack() as opened:
            self._history = opened.enter_context(
                HistoryWriter(options.data, streams.labels, options.keep_s, options.keep_bytes)
            )
            self._actions = opened.enter_context(Actions(rulebook.rules))
            self.pictures = Pictures(rulebook.levels, lambda: self._view)
            opened.callback(self.pictures.close)
            self._closing = opened.pop_all()
        self.history = HistoryQueries(options.data)
        self.records = Records()
        self._ticker = threading.Thread(target=self._tick_every_second, name="ticker", daemon=True)
        self._ticker.start()

    @property
    def view(self) -> View:
        """How pictures are shown."""
        return self._view

    @property
    def alive(self) -> bool:
        """Whether the engine's loop goes round."""
        return perf_counter() - self.streams.beat_s < ALIVE_WITHIN_S

    @property
    def history_message(self) -> str:
        """What is to be said about the history; empty when all is well."""
        return self._history.message

    def observe(self, result: StreamResult) -> None:
        """Take a frame's result."""
        self.pictures.offer(result)
        self.records.offer(result)
        self._seconds.add(time.time(), result.source, result.run, result.result.faces)

    def add(self, uri: str) -> int:
        """Add a source and start it; returns its number. The caller asks `media` first.

        Raises:
            BadInput: there are too many, or the run writes its source to files.
        """
        self._check_free()
        return self.streams.add(uri)

    def remove(self, source: int) -> None:
        """Remove a source; InputNotFound where there is none of that number."""
        self._check_free()
        self.streams.remove(source)
        self.pictures.forget(source)
        with self._lock:
            self._timelines.pop(source, None)

    def start(self, source: int) -> None:
        """Start a source or go on with it; see `Streams.start`."""
        self.streams.start(source)

    def pause(self, source: int) -> None:
        """Hold a source; see `Streams.pause`."""
        self.streams.pause(source)

    def stop(self, source: int) -> None:
        """Close a source and keep it in the list."""
        self.streams.halt(source)

    def change(self, pipeline: PipelineConfig, view: View) -> None:
        """Use other settings from the next frame on."""
        self._view = view
        self.streams.configure(replace(pipeline, blur=view.blur))

    def messages(self) -> list[Message]:
        """The newest messages, oldest first."""
        with self._lock:
            return list(self._messages)

    def timeline(self, source: int, last_s: int) -> list[SourceSecond]:
        """The last seconds of a source, oldest first; at most ten minutes are kept."""
        since = time.time() - last_s
        with self._lock:
            return [s for s in self._timelines.get(source, ()) if s.time >= since]

    def enter(self) -> bool:
        """Count a viewer in; False where there are too many."""
        with self._lock:
            if self.viewers >= MAX_VIEWERS:
                return False
            self.viewers += 1
            return True

    def leave(self) -> None:
        """Count a viewer out."""
        with self._lock:
            self.viewers -= 1

    def _check_free(self) -> None:
        if self._fixed:
            raise BadInput("this run writes files: its sources cannot be changed")

    def _tick_every_second(self) -> None:
        while not self._closed.wait(1.02 - time.time() % 1):
            try:
                self._tick(int(time.time()))
            except Exception:  # the next second may go well, and the engine must go on
                log.exception("a second was lost")
            if self.alive:
                notify("WATCHDOG=1")

    def _tick(self, before: int) -> None:
        names = {status.source: status.name for status in self.streams.sources}
        seconds = [s for s in self._seconds.drain(before) if s.source in names]
        for second in seconds:
            with self._lock:
                kept = self._timelines.setdefault(second.source, deque(maxlen=TIMELINE_S))
                kept.append(second)
            for firing in self._rules.step(second):
                self._fire(firing, names[second.source])
        if seconds:
            self._history.submit([(names[second.source], second) for second in seconds])

    def _fire(self, firing: Firing, name: str) -> None:
        if firing.rule.action.page:
            with self._lock:
                self._said += 1
                self._messages.append(Message(self._said, message(firing, name)))
        self._actions.submit(firing, name)

    def close(self) -> None:
        """Write the last second, end all threads; may be called twice."""
        if not self._closed.is_set():
            self._closed.set()
            self._ticker.join(2.0)
            self._tick(int(time.time()) + 1)
            self._closing.close()

    def __enter__(self) -> Monitor:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def changed(config: PipelineConfig, **values: Any) -> PipelineConfig:
    """A configuration with other values; BadInput outside their ranges."""
    return replace(config, **values)
