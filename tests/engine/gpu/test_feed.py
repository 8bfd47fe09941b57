"""Feeds that upload: which frames come, in which order, and what is counted."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest

from fer_edge.engine.cuda.device import Device
from fer_edge.engine.errors import SourceFailed
from fer_edge.engine.gpu.feed import UploadingFeed
from fer_edge.engine.gpu.frames import FrameUploads
from fer_edge.engine.sources.base import LosslessFeed, Reader, SourceInfo
from fer_edge.engine.sources.feed import CapturedFeed
from fer_edge.engine.types import Frame

from ..conftest import THIS_GPU
from ..stand_in import Driver


class Counting(Reader):
    """Frames that hold their own number; breaks off after some where it is told to."""

    def __init__(self, frames: int, fails: bool = False) -> None:
        self.info = SourceInfo("counting", 10.0, frames, live=False)
        self.given = 0
        self.closed = False
        self._fails = fails

    def read(self) -> Frame | None:
        if self.given == self.info.frame_count:
            if self._fails:
                raise SourceFailed("counting: broke off")
            return None
        self.given += 1
        number = self.given - 1
        return Frame(np.full((4, 4, 3), number, np.uint8), number, number / 10)

    def close(self) -> None:
        self.closed = True


@pytest.fixture
def frames(driver: Driver) -> Iterator[FrameUploads]:
    uploads = FrameUploads(Device(driver, THIS_GPU))
    yield uploads
    uploads.close()


@pytest.mark.parametrize("ahead", [True, False])
@pytest.mark.parametrize("count", [0, 1, 2, 5])
def test_every_frame_comes_once_and_in_order(frames: FrameUploads, ahead: bool, count: int) -> None:
    reader = Counting(count)
    with UploadingFeed(LosslessFeed(reader), frames, ahead) as feed:
        assert feed.info is reader.info
        assert [frame.index for frame in feed] == list(range(count))
        assert (feed.captured, feed.dropped) == (count, 0)
        assert frames.count == count
    assert reader.closed


def test_the_next_frame_is_read_before_one_is_given(frames: FrameUploads) -> None:
    reader = Counting(5)
    with UploadingFeed(LosslessFeed(reader), frames, ahead=True) as feed:
        for frame in feed:
            assert reader.given == min(frame.index + 2, 5)
            assert frames.count == reader.given
            assert feed.captured == frame.index + 1


def test_a_stop_leaves_out_the_frame_that_was_read_ahead(frames: FrameUploads) -> None:
    with UploadingFeed(LosslessFeed(Counting(5)), frames, ahead=True) as feed:
        seen = []
        for frame in feed:
            seen.append(frame.index)
            if frame.index == 2:
                feed.stop()
        assert seen == [0, 1, 2]
        assert (feed.captured, feed.dropped) == (3, 0)


def test_the_frame_in_hand_comes_before_the_failure_behind_it(frames: FrameUploads) -> None:
    seen = []
    with UploadingFeed(LosslessFeed(Counting(3, fails=True)), frames, ahead=True) as feed:
        with pytest.raises(SourceFailed, match="broke off"):
            for frame in feed:
                seen.append(frame.index)
        assert seen == [0, 1, 2]
        assert feed.captured == 3


def test_live_feeds_count_what_they_drop(frames: FrameUploads) -> None:
    live = CapturedFeed(Counting(30), every=False)
    with UploadingFeed(live, frames, ahead=False) as feed:
        seen = [frame.index for frame in feed]
        assert seen == sorted(set(seen))
        assert feed.captured == len(seen) + feed.dropped
        assert frames.count == len(seen)
