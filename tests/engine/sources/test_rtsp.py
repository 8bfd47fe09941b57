"""RTSP from a real server, which is killed, restarted and held."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from time import time

import pytest

from fer_edge.engine.errors import SourceFailed
from fer_edge.engine.sources import Connection, open_source
from fer_edge.engine.types import Frame

SCRIPT = Path(__file__).with_name("rtsp_server.py")
PYTHON = Path("/usr/bin/python3")
NEEDS = "import gi; gi.require_version('GstRtspServer', '1.0'); from gi.repository import Gst; "
NEEDS += "Gst.init(None); assert Gst.ElementFactory.find('x264enc')"
SIZE = (96, 64)


def has_server() -> bool:
    if not PYTHON.exists():
        return False
    done = subprocess.run([PYTHON, "-c", NEEDS], capture_output=True, check=False)
    return done.returncode == 0


pytestmark = pytest.mark.skipif(
    not has_server(),
    reason="no RTSP server: apt-get install gir1.2-gst-rtsp-server-1.0 "
    "gstreamer1.0-plugins-good gstreamer1.0-plugins-ugly python3-gi",
)


class Server:
    """A server that can be killed and started again at the same address."""

    def __init__(self) -> None:
        with socket.create_server(("127.0.0.1", 0)) as free:
            self._port = str(free.getsockname()[1])
        self.uri = f"rtsp://127.0.0.1:{self._port}/live"
        self._process: subprocess.Popen[str] | None = None

    def start(self, size: tuple[int, int] = SIZE) -> None:
        words = [PYTHON, SCRIPT, self._port, *map(str, size)]
        self._process = subprocess.Popen(words, stdout=subprocess.PIPE, text=True)
        assert self._process.stdout is not None
        assert self._process.stdout.readline() == "ready\n"

    def signal(self, number: signal.Signals) -> None:
        assert self._process is not None
        os.kill(self._process.pid, number)

    def kill(self) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.communicate()
            self._process = None


@pytest.fixture
def server() -> Iterator[Server]:
    one = Server()
    one.start()
    yield one
    one.kill()


@pytest.fixture(autouse=True)
def _soon_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("fer_edge.engine.sources.capture.FIRST_RETRY_S", 0.05)


@pytest.mark.parametrize("transport", ["tcp", "udp"])
def test_a_stream_is_live_and_its_times_are_the_cameras(transport: str, server: Server) -> None:
    connection = Connection(timeout_s=20, rtsp_transport=transport)  # type: ignore[arg-type]
    with open_source(server.uri, "lossless", connection) as feed:
        assert feed.info.live
        frames = [frame for frame, _ in zip(feed, range(20), strict=False)]
    assert {frame.image.shape for frame in frames} == {(SIZE[1], SIZE[0], 3)}
    assert [frame.index for frame in frames] == list(range(20))
    steps = [b.time_s - a.time_s for a, b in pairwise(frames)]
    assert min(steps) > 0
    assert all(abs(frame.utc_s - time()) < 60 for frame in frames if frame.utc_s is not None)
    assert all(frame.utc_s is not None for frame in frames)
    assert sorted(steps)[len(steps) // 2] == pytest.approx(1 / 30, abs=2e-3)


def test_a_server_that_is_killed_and_comes_back_is_watched_again(server: Server) -> None:
    seen: list[Frame] = []
    restarts = 3
    with open_source(server.uri, "auto", Connection(timeout_s=5, reconnect_s=0.2)) as feed:
        for frame in feed:
            seen.append(frame)
            if len(seen) % 10 == 0:
                if len(seen) > 10 * restarts:
                    break
                server.kill()
                server.start()
    indices, times = [frame.index for frame in seen], [frame.time_s for frame in seen]
    assert indices == sorted(set(indices))
    assert times == sorted(set(times))
    assert feed.captured == len(seen) + feed.dropped


def test_a_server_that_says_nothing_is_given_up_in_time(server: Server) -> None:
    seen = 0
    connection = Connection(timeout_s=1, reconnect_s=0)
    with open_source(server.uri, "auto", connection) as feed:
        with pytest.raises(SourceFailed, match="gives no more frames"):
            for _ in feed:
                seen += 1
                if seen == 5:
                    server.signal(signal.SIGSTOP)
        assert seen >= 5
    server.signal(signal.SIGCONT)


def test_a_stream_may_come_back_in_another_size(server: Server) -> None:
    sizes: list[tuple[int, ...]] = []
    with open_source(server.uri, "auto", Connection(timeout_s=5, reconnect_s=0.2)) as feed:
        for frame in feed:
            shape = frame.image.shape[:2]
            if shape not in sizes:
                sizes.append(shape)
            if len(sizes) == 2:
                break
            if frame.index == 5 or (frame.index > 5 and len(sizes) == 1):
                server.kill()
                server.start((128, 96))
    assert sizes == [(64, 96), (96, 128)]
