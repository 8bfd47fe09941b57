"""Handing work to a thread without ever waiting for it."""

from __future__ import annotations

import queue
from typing import TypeVar

Entry = TypeVar("Entry")


def put_newest(waiting: queue.Queue[Entry], entry: Entry) -> int:
    """Append an entry to a bounded queue, giving up its oldest ones where it is full.

    Returns:
        how many were given up.
    """
    given_up = 0
    while True:
        try:
            waiting.put_nowait(entry)
            return given_up
        except queue.Full:
            given_up += _give_up_oldest(waiting)


def _give_up_oldest(waiting: queue.Queue[Entry]) -> int:
    try:
        waiting.get_nowait()
        return 1
    except queue.Empty:
        return 0
