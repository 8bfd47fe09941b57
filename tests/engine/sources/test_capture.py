from __future__ import annotations

import threading

import numpy as np
import pytest

from fer_edge.engine.errors import InputNotFound, SourceFailed
from fer_edge.engine.sources.base import Reader, SourceInfo
from fer_edge.engine.sources.capture import Capture
from fer_edge.engine.sources.feed import CapturedFeed
from fer_edge.engine.types import Frame


class Breaking(Reader):
    """A recording that breaks off after its first frame."""

    def __init__(self, uri: str) -> None:
        self.info = SourceInfo(uri, 10.0, None, live=False)
        self._frames = [Frame(np.zeros((2, 2, 3), np.uint8), 0, 0.0)]

    def read(self) -> Frame:
        if not self._frames:
            raise SourceFailed("broke off")
        return self._frames.pop()

    def close(self) -> None:
        pass


def test_a_recording_at_an_address_that_breaks_off_is_not_begun_again() -> None:
    arrived = threading.Condition()
    capture = Capture(
        lambda: Breaking("http://somewhere/film.mp4"), lambda _: True, 30.0, arrived, live=True
    )
    capture.start()
    capture.join(30)
    with arrived:
        assert capture.take() is not None
    assert (capture.state, capture.message, capture.reconnects) == ("failed", "broke off", 0)
    assert capture.over


class Dropping(Reader):
    """A camera that is lost after a few frames."""

    def __init__(self, frames: int) -> None:
        self.info = SourceInfo("a camera", 10.0, None, live=True)
        self._left = iter(range(frames))

    def read(self) -> Frame:
        for index in self._left:
            return Frame(np.zeros((2, 2, 3), np.uint8), index, index / 10)
        raise SourceFailed("a camera: gives no more frames")

    def close(self) -> None:
        pass


@pytest.mark.parametrize("every", [True, False])
def test_a_camera_that_comes_back_goes_on_in_numbers_and_times(
    every: bool, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr("fer_edge.engine.sources.capture.FIRST_RETRY_S", 0.01)
    seen: list[Frame] = []
    with CapturedFeed(Dropping(3), every, lambda: Dropping(3), reconnect_s=0.02) as feed:
        for frame in feed:
            seen.append(frame)
            assert feed.captured == len(seen) + feed.dropped
            if frame.index >= 9:
                feed.stop()
    indices, times = [frame.index for frame in seen], [frame.time_s for frame in seen]
    assert indices == sorted(set(indices))
    assert times == sorted(set(times))
    assert not every or indices == list(range(len(seen)))
    assert caplog.messages[:2] == [
        "a camera: gives no more frames; opened again in 0.01 s",
        "a camera: is open again",
    ]


def test_a_camera_that_shall_not_come_back_ends_the_run() -> None:
    opened = []
    feed = CapturedFeed(Dropping(3), True, lambda: opened.append(1) or Dropping(3), reconnect_s=0)
    seen = []
    with feed, pytest.raises(SourceFailed, match="gives no more frames"):
        seen.extend(frame.index for frame in feed)
    assert seen == [0, 1, 2]
    assert not opened


def test_tries_grow_apart_up_to_what_was_asked_for(caplog: pytest.LogCaptureFixture) -> None:
    def gone() -> Reader:
        if len(caplog.messages) >= 6:
            feed.stop()
        raise InputNotFound("a camera: not found")

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("fer_edge.engine.sources.capture.FIRST_RETRY_S", 0.001)
        with CapturedFeed(Dropping(1), True, gone, reconnect_s=0.006) as feed:
            assert len(list(feed)) == 1
    waits = [message.rsplit(" in ")[-1] for message in caplog.messages]
    assert waits[:5] == ["0.001 s", "0.002 s", "0.004 s", "0.006 s", "0.006 s"]
