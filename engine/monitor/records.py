"""The stream of records: one JSON object a frame for every subscriber, bounded."""

from __future__ import annotations

import asyncio
import json
import threading

from ..sinks.records import record
from ..streams import StreamResult

# About eight seconds of a camera; a subscriber that is slower loses the oldest.
QUEUE = 256


class Subscription:
    """The records of one subscriber. Used inside its event loop, but for `put`."""

    def __init__(self) -> None:
        self.missed = 0
        self._loop = asyncio.get_running_loop()
        self._queue: asyncio.Queue[str] = asyncio.Queue(QUEUE)

    def put(self, line: str) -> None:
        """Take a record; for any thread."""
        self._loop.call_soon_threadsafe(self._put, line)

    def _put(self, line: str) -> None:
        if self._queue.full():
            self._queue.get_nowait()
            self.missed += 1
        self._queue.put_nowait(line)

    async def next(self) -> str:
        """Wait for the next record."""
        return await self._queue.get()


class Records:
    """Hands each frame's record to all subscribers; costs nothing without any."""

    def __init__(self) -> None:
        self._subscriptions: tuple[Subscription, ...] = ()
        self._lock = threading.Lock()

    def offer(self, result: StreamResult) -> None:
        """Take a result from the engine."""
        subscriptions = self._subscriptions
        if subscriptions:
            # In ASCII: names of files may hold what is no text, which no socket takes.
            line = json.dumps({"source": result.source, **record(result.result)})
            for subscription in subscriptions:
                subscription.put(line)

    def subscribe(self) -> Subscription:
        """Begin a subscription; call inside an event loop."""
        subscription = Subscription()
        with self._lock:
            self._subscriptions = (*self._subscriptions, subscription)
        return subscription

    def unsubscribe(self, subscription: Subscription) -> None:
        """End a subscription."""
        with self._lock:
            self._subscriptions = tuple(s for s in self._subscriptions if s is not subscription)
