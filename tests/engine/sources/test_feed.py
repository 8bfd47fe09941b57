from __future__ import annotations

import threading
from time import monotonic, sleep

import numpy as np
import pytest

from fer_edge.engine.errors import SourceFailed
from fer_edge.engine.sources.base import Reader, SourceInfo
from fer_edge.engine.sources.capture import FRAMES_AHEAD
from fer_edge.engine.sources.feed import CapturedFeed
from fer_edge.engine.types import Frame


class Counting(Reader):
    """Frames without an end, or up to an error; counts what was read."""

    def __init__(self, error_after: int | None = None) -> None:
        self.info = SourceInfo("counting", 10.0, None, live=False)
        self.read_so_far = 0
        self.closed = False
        self.threads: set[int] = set()
        self._error_after = error_after

    def read(self) -> Frame:
        self.threads.add(threading.get_ident())
        if self.read_so_far == self._error_after:
            raise ZeroDivisionError("a bug")
        self.read_so_far += 1
        return Frame(np.zeros((2, 2, 3), np.uint8), self.read_so_far - 1, 0.0)

    def close(self) -> None:
        assert not self.closed
        self.closed = True


def wait_until(is_so) -> None:
    end = monotonic() + 30
    while not is_so():
        assert monotonic() < end
        sleep(0.01)


def test_frames_are_read_beside_the_loop_but_not_without_bound() -> None:
    reader = Counting()
    with CapturedFeed(reader, every=True) as feed:
        frames = iter(feed)
        assert next(frames).index == 0
        # Those that wait, and one that finds no room.
        wait_until(lambda: reader.read_so_far == 1 + FRAMES_AHEAD + 1)
        sleep(0.05)
        assert reader.read_so_far == 1 + FRAMES_AHEAD + 1
        assert [next(frames).index for _ in range(20)] == list(range(1, 21))
        assert (feed.captured, feed.dropped) == (21, 0)
        feed.stop()
        assert list(frames) == []
    assert reader.closed
    assert threading.get_ident() not in reader.threads


def test_any_error_comes_after_the_frames_before_it() -> None:
    reader = Counting(error_after=7)
    seen = []
    with (
        CapturedFeed(reader, every=True) as feed,
        pytest.raises(SourceFailed, match="ZeroDivisionError"),
    ):
        seen.extend(frame.index for frame in feed)
    assert feed.captured == 7
    assert reader.closed


def test_a_feed_that_nobody_iterates_over_closes_its_reader() -> None:
    reader = Counting()
    CapturedFeed(reader, every=True).close()
    assert reader.closed
    assert not reader.threads
