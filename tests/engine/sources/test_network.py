"""Films at addresses, from servers on this machine."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from functools import partial
from http.server import BaseHTTPRequestHandler, SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from time import perf_counter

import cv2
import numpy as np
import pytest

from fer_edge.engine.errors import BadInput, InputNotFound, SourceFailed
from fer_edge.engine.sources import Connection, open_reader, open_source
from fer_edge.engine.sources.video import Recording

from .films import numbered, write_film

SECOND = [n / 20 for n in range(20)]


class Quiet(SimpleHTTPRequestHandler):
    """Python's own server of files, which sends them from their beginning only."""

    def log_message(self, *_: object) -> None:
        pass


class Stalling(BaseHTTPRequestHandler):
    """A camera that says nothing more after its first pictures."""

    over = threading.Event()

    def do_GET(self) -> None:
        self.send_response(200)
        self.send_header("Content-Type", "multipart/x-mixed-replace; boundary=frame")
        self.end_headers()
        for index in range(5):
            jpeg = cv2.imencode(".jpg", numbered(index))[1].tobytes()
            self.wfile.write(b"--frame\r\nContent-Type: image/jpeg\r\n")
            self.wfile.write(b"Content-Length: %d\r\n\r\n" % len(jpeg) + jpeg + b"\r\n")
        self.over.wait()

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def served(tmp_path: Path) -> Iterator[str]:
    """The address of `tmp_path`."""
    handler = partial(Quiet, directory=str(tmp_path))
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


@pytest.mark.parametrize("name", ["film.mp4", "film.mkv", "film.ts", "film.avi"])
def test_a_file_is_a_file_wherever_it_lies(name: str, served: str, tmp_path: Path) -> None:
    """Also an MP4 whose index is at its end, which such a server cannot seek in."""
    noise = np.random.default_rng(0).integers(0, 256, (20, 96, 128, 3), np.uint8)
    path = write_film(tmp_path / name, SECOND, "mpeg4", images=noise, clock=20)
    # More than FFmpeg holds at a time.
    assert path.stat().st_size > 65_536
    with open_source(f"{served}/{name}") as feed:
        assert not feed.info.live
        assert [frame.time_s for frame in feed] == pytest.approx(SECOND, abs=1e-3)
        assert feed.dropped == 0


def test_a_film_without_a_duration_ends_with_its_file(served: str, tmp_path: Path) -> None:
    write_film(tmp_path / "film.webm", SECOND, "libvpx", clock=1000, muxing={"live": "1"})
    with open_source(f"{served}/film.webm") as feed:
        assert not feed.info.live
        assert len(list(feed)) == 20


def playlist(folder: Path, ended: bool) -> None:
    """A playlist of a second of film in two pieces."""
    path = folder / "list.m3u8"
    muxing = {"hls_time": "0.5", "hls_list_size": "0"}
    write_film(path, SECOND, options={"g": "10", "bf": "0"}, muxing=muxing)
    if not ended:
        path.write_text(path.read_text().replace("#EXT-X-ENDLIST\n", ""))


def test_a_playlist_with_an_end_is_a_recording(served: str, tmp_path: Path) -> None:
    playlist(tmp_path, ended=True)
    with open_source(f"{served}/list.m3u8") as feed:
        assert [frame.time_s for frame in feed] == pytest.approx(SECOND, abs=1e-3)


def test_a_playlist_without_an_end_is_live_and_keeps_its_pace(served: str, tmp_path: Path) -> None:
    playlist(tmp_path, ended=False)
    reader = open_reader(f"{served}/list.m3u8")
    assert reader.info.live
    began_s = perf_counter()
    frames = [reader.read() for _ in range(18)]
    assert perf_counter() - began_s >= frames[-1].time_s - 0.1
    assert [frame.time_s for frame in frames] == pytest.approx(SECOND[:18], abs=1e-3)
    reader.close()


def test_what_is_not_on_the_server_is_said(served: str) -> None:
    with pytest.raises(InputNotFound, match=r"no stream \(.*404 Not Found\); check the address"):
        open_reader(f"{served}/missing.mp4")


def test_what_is_no_film_is_refused(served: str, tmp_path: Path) -> None:
    (tmp_path / "noise.mp4").write_bytes(np.random.default_rng(0).bytes(5000))
    with pytest.raises((InputNotFound, BadInput), match="Invalid data"):
        open_reader(f"{served}/noise.mp4")


def test_a_server_that_never_answers_is_left_in_time() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        address = f"http://user:secret@127.0.0.1:{server.getsockname()[1]}/x"
        with pytest.raises(InputNotFound, match="nothing came in time; --timeout") as caught:
            open_reader(address, Connection(timeout_s=0.3))
    assert "secret" not in str(caught.value)


def test_a_camera_that_falls_silent_is_a_failure() -> None:
    with ThreadingHTTPServer(("127.0.0.1", 0), Stalling) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        address = f"http://127.0.0.1:{server.server_port}/"
        reader = open_reader(address, Connection(timeout_s=1.0))
        assert reader.info.live
        with pytest.raises(SourceFailed, match=r"no more frames after \d \(nothing came in time"):
            while True:
                reader.read()
        reader.close()
        Stalling.over.set()
        server.shutdown()


def test_a_stream_that_nobody_can_end_is_live() -> None:
    """A transport stream by UDP."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as free:
        free.bind(("127.0.0.1", 0))
        address = f"udp://127.0.0.1:{free.getsockname()[1]}?pkt_size=1316"
    stopped = threading.Event()

    def send() -> None:
        while not stopped.wait(0.05):
            write_film(address, SECOND[:5], muxer="mpegts")  # type: ignore[arg-type]

    sender = threading.Thread(target=send)
    sender.start()
    try:
        reader = open_reader(address)
        assert reader.info.live
        assert not isinstance(reader, Recording)
        times_s = [reader.read().time_s for _ in range(8)]
        assert times_s == sorted(times_s)
        reader.close()
    finally:
        stopped.set()
        sender.join()


@pytest.mark.parametrize("timeout_s", [0, -1, float("nan"), float("inf")])
def test_a_timeout_is_a_time(timeout_s: float) -> None:
    with pytest.raises(BadInput, match="more than 0 seconds"):
        Connection(timeout_s=timeout_s)
    with pytest.raises(BadInput, match="give tcp or udp"):
        Connection(rtsp_transport="pigeon")  # type: ignore[arg-type]
