from __future__ import annotations

import threading

import numpy as np

from fer_edge.engine.errors import SourceFailed
from fer_edge.engine.inlet import Inlet
from fer_edge.engine.sources.base import Reader, SourceInfo
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
    inlet = Inlet("http://somewhere/film.mp4", "lossless", arrived, Breaking)
    inlet.join(30)
    with arrived:
        assert inlet.take() is not None
    assert (inlet.state, inlet.message, inlet.reconnects) == ("failed", "broke off", 0)
    assert inlet.over
