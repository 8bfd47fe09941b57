"""A clean end on Ctrl-C, SIGTERM, and SIGHUP, which a terminal sends when it is closed."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from types import FrameType

ENDING = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)

_asked = threading.Event()


def stop_asked() -> bool:
    """Whether a signal has asked the run inside `stopping` to end; for who waits in it."""
    return _asked.is_set()


@contextmanager
def stopping(stop: Callable[[], None]) -> Iterator[None]:
    """Stop cleanly on a signal; a second Ctrl-C or SIGTERM ends the process at once.

    A second SIGHUP does not: a terminal that is closed and its shell both send one.
    """
    _asked.clear()

    def on_signal(number: int, frame: FrameType | None) -> None:
        _asked.set()
        stop()
        if number != signal.SIGHUP:
            signal.signal(number, signal.SIG_DFL)

    with _handled(on_signal):
        yield


@contextmanager
def ending_at_once(words: str) -> Iterator[None]:
    """Say so and end the process on a signal, while there is nothing to be lost.

    Not by an exception, which may be raised anywhere: in the middle of an import, where Python
    shows it and goes on.
    """

    def on_signal(number: int, frame: FrameType | None) -> None:
        with suppress(OSError):
            os.write(2, words.encode() + b"\n")
        os._exit(0)

    with _handled(on_signal):
        yield


@contextmanager
def interrupting() -> Iterator[None]:
    """Take SIGTERM and SIGHUP for a Ctrl-C, a `KeyboardInterrupt`."""

    def on_signal(number: int, frame: FrameType | None) -> None:
        raise KeyboardInterrupt

    with _handled(on_signal):
        yield


@contextmanager
def _handled(handler: Callable[[int, FrameType | None], None]) -> Iterator[None]:
    if threading.current_thread() is not threading.main_thread():
        yield  # where no handler can be set
        return
    # nohup has a process ignore SIGHUP.
    mine = [n for n in ENDING if n != signal.SIGHUP or signal.getsignal(n) != signal.SIG_IGN]
    previous = {number: signal.signal(number, handler) for number in mine}
    try:
        yield
    finally:
        for number, earlier in previous.items():
            signal.signal(number, earlier)
