"""The sockets: pictures and records."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from math import isfinite
from time import perf_counter
from typing import Annotated

from fastapi import FastAPI, Path, WebSocket, WebSocketDisconnect

from .api import PREFIX
from .monitor import Monitor
from .records import Subscription

# RFC 6455's "try again later".
TOO_MANY = 1013
REASON = "too many viewers"
# Pictures on their way to a viewer: one is drawn while the next one travels.
CREDIT = 2


def add_sockets(app: FastAPI, monitor: Monitor) -> None:
    """Add the sockets of pictures and records."""

    @app.websocket(f"{PREFIX}/sources/{{source}}/pictures")
    async def pictures(socket: WebSocket, source: Annotated[int, Path()]) -> None:
        """Binary messages, see `Picture.message`, as fast as the viewer answers them.

        The viewer sends its clock in milliseconds with each picture it has drawn, and finds
        it in `echo` of the next one with `held_ms`, so that it knows the round trip.
        """
        async with _counted(socket, monitor) as welcome:
            if welcome:
                await _serve_pictures(socket, monitor, source)

    @app.websocket(f"{PREFIX}/records")
    async def records(socket: WebSocket) -> None:
        """Text messages: the record of each frame as JSONL has it, with its source."""
        async with _counted(socket, monitor) as welcome:
            if welcome:
                subscription = monitor.records.subscribe()
                try:
                    await _either(_serve_records(socket, subscription), _until_closed(socket))
                finally:
                    monitor.records.unsubscribe(subscription)


@asynccontextmanager
async def _counted(socket: WebSocket, monitor: Monitor) -> AsyncIterator[bool]:
    await socket.accept()
    if not monitor.enter():
        await socket.close(TOO_MANY, REASON)
        yield False
        return
    try:
        yield True
    except WebSocketDisconnect:
        pass
    finally:
        monitor.leave()


class _Viewer:
    """What a viewer has told: how many pictures it can take, and its clock."""

    def __init__(self) -> None:
        self.credit = asyncio.Semaphore(CREDIT)
        self.clock_ms: float | None = None
        self._heard_s = 0.0

    def hear(self, text: str) -> None:
        """Take a message of the viewer: its clock when it had drawn a picture."""
        try:
            clock = json.loads(text, parse_int=float)
        except (ValueError, RecursionError):
            return
        if isinstance(clock, float) and isfinite(clock):
            self.clock_ms, self._heard_s = clock, perf_counter()
            self.credit.release()

    @property
    def held_ms(self) -> float:
        """Milliseconds since the viewer was heard."""
        return round(1e3 * (perf_counter() - self._heard_s), 1)


async def _serve_pictures(socket: WebSocket, monitor: Monitor, source: int) -> None:
    viewer = _Viewer()

    async def listen() -> None:
        while True:
            viewer.hear(await socket.receive_text())

    async def send() -> None:
        number = 0
        while True:
            await viewer.credit.acquire()
            picture = await monitor.pictures.next(source, number)
            number = picture.number
            echo = {"echo": viewer.clock_ms, "held_ms": viewer.held_ms}
            await socket.send_bytes(picture.message(**echo))

    await _either(listen(), send())


async def _serve_records(socket: WebSocket, subscription: Subscription) -> None:
    while True:
        await socket.send_text(await subscription.next())


async def _until_closed(socket: WebSocket) -> None:
    while True:
        await socket.receive_text()


async def _either(*work: object) -> None:
    """Run until one of them ends, and end the other."""
    tasks = [asyncio.ensure_future(job) for job in work]  # type: ignore[call-overload]
    try:
        done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        for task in done:
            task.result()
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
