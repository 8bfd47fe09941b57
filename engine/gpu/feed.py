"""A feed whose frames are on their way to the GPU before they are asked for."""

from __future__ import annotations

import threading
from collections.abc import Iterator

from ..errors import FerError
from ..sources import Feed
from ..types import Frame
from .frames import FrameUploads


class UploadingFeed(Feed):
    """Begins the upload of each frame of a feed before giving it.

    Where waiting loses nothing, it is one frame ahead: the frame that it gives is worked on
    while the next is uploaded. A live feed is not read ahead, since a frame must not wait for
    the one after it.

    Args:
        feed: where the frames come from; closed with this one.
        frames: the uploads.
        ahead: whether to read ahead.
    """

    def __init__(self, feed: Feed, frames: FrameUploads, ahead: bool) -> None:
        self.info = feed.info
        self.newest_only = feed.newest_only
        self._feed = feed
        self._frames = frames
        self._ahead = ahead
        self._stopped = threading.Event()
        self._waiting = 0

    @property
    def captured(self) -> int:
        """Frames taken from the source so far, but for one that waits here."""
        return self._feed.captured - self._waiting

    @property
    def dropped(self) -> int:
        """Frames taken from the source that nobody was given."""
        return self._feed.dropped

    def __iter__(self) -> Iterator[Frame]:
        return self._read_ahead() if self._ahead else self._read()

    def _read(self) -> Iterator[Frame]:
        for frame in self._feed:
            self._frames.begin(frame.image)
            yield frame

    def _read_ahead(self) -> Iterator[Frame]:
        feed = self._read()
        failure: FerError | None = None
        given = next(feed, None)
        while given is not None and not self._stopped.is_set():
            following = None
            try:
                following = next(feed, None)
            except FerError as error:
                # The frame in hand is whole: it comes first.
                failure = error
            self._waiting = 0 if following is None else 1
            yield given
            given = following
        if failure is not None:
            raise failure

    def stop(self) -> None:
        """End the iteration soon."""
        self._stopped.set()
        self._feed.stop()

    def close(self) -> None:
        """Stop and let the source go; may be called twice."""
        self.stop()
        self._feed.close()
