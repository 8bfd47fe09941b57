from __future__ import annotations

import struct
import threading
import zlib
from collections.abc import Iterator
from functools import partial
from http.server import BaseHTTPRequestHandler, SimpleHTTPRequestHandler, ThreadingHTTPServer
from itertools import islice
from pathlib import Path
from time import perf_counter, sleep

import cv2
import numpy as np
import pytest

from fer_edge.engine.errors import BadInput, FerError, InputNotFound, SourceFailed
from fer_edge.engine.sources import Connection, open_reader, open_source
from fer_edge.engine.sources.base import Reader, SourceInfo
from fer_edge.engine.sources.demo import FRAMES, demo_face_box
from fer_edge.engine.sources.feed import CapturedFeed
from fer_edge.engine.sources.images import read_image
from fer_edge.engine.types import Frame


def numbered(index: int, width: int = 96, height: int = 64) -> np.ndarray:
    """A picture whose gray level says its number."""
    return np.full((height, width, 3), 10 * index + 5, np.uint8)


def number_of(image: np.ndarray) -> int:
    return round((float(image.mean()) - 5) / 10)


def png_header(width: int, height: int) -> bytes:
    """A PNG of one bit a pixel, with none of its pixels."""
    header = b"IHDR" + struct.pack(">IIBBBBB", width, height, 1, 0, 0, 0, 0)
    body = b"IDAT" + zlib.compress(b"\0" * 5001)
    chunks = [
        struct.pack(">I", len(c) - 4) + c + struct.pack(">I", zlib.crc32(c))
        for c in (header, body, b"IEND")
    ]
    return b"\x89PNG\r\n\x1a\n" + b"".join(chunks)


def write_video(path: Path, frames: int, fps: float = 10.0) -> Path:
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*"MJPG"), fps, (96, 64))
    assert writer.isOpened()
    for index in range(frames):
        writer.write(numbered(index))
    writer.release()
    return path


def test_a_video_file_gives_every_frame_in_order(tmp_path: Path) -> None:
    with open_source(str(write_video(tmp_path / "v.avi", 20))) as feed:
        frames = list(feed)
    assert [number_of(frame.image) for frame in frames] == list(range(20))
    assert [frame.index for frame in frames] == list(range(20))
    assert frames[5].time_s == pytest.approx(0.5)
    assert (feed.captured, feed.dropped) == (20, 0)
    assert feed.info.frame_count == 20


def test_a_file_in_real_time_keeps_its_pace_and_counts_what_it_drops(tmp_path: Path) -> None:
    path = write_video(tmp_path / "v.avi", 20, fps=50.0)
    with open_source(str(path), "realtime") as feed:
        started, seen = perf_counter(), []
        for frame in feed:
            seen.append(frame.index)
            sleep(0.06)
        assert perf_counter() - started >= 19 / 50
    assert seen == sorted(set(seen))
    assert feed.captured == 20
    assert feed.captured == len(seen) + feed.dropped
    assert feed.dropped > 0
    assert seen[-1] == 19


def test_stop_ends_a_live_source_that_is_waiting(tmp_path: Path) -> None:
    class Silent(Reader):
        info = SourceInfo("silent", 30, None, live=True)

        def read(self) -> Frame | None:
            sleep(0.3)
            return None if closing.is_set() else Frame(numbered(0), 0, 0.0)

        def close(self) -> None:
            pass

    closing = threading.Event()
    with CapturedFeed(Silent(), every=False) as feed:
        threading.Timer(0.1, lambda: (closing.set(), feed.stop())).start()
        started = perf_counter()
        assert list(feed) == []
        assert perf_counter() - started < 2
    assert feed.captured == feed.dropped


def test_a_live_source_that_breaks_says_so(tmp_path: Path) -> None:
    class Breaking(Reader):
        info = SourceInfo("breaking", 30, None, live=True)

        def read(self) -> Frame | None:
            raise SourceFailed("unplugged")

        def close(self) -> None:
            pass

    with (
        CapturedFeed(Breaking(), every=False) as feed,
        pytest.raises(SourceFailed, match="unplugged"),
    ):
        list(feed)


def test_images_from_file_folder_and_glob_in_natural_order(tmp_path: Path) -> None:
    for index in (10, 2, 1):
        cv2.imwrite(str(tmp_path / f"face{index}.png"), numbered(index))
    cv2.imwrite(str(tmp_path / "other.jpg"), numbered(20))
    (tmp_path / "notes.txt").write_text("not an image")

    def numbers(uri: str) -> list[int]:
        with open_source(uri) as feed:
            return [number_of(frame.image) for frame in feed]

    assert numbers(str(tmp_path)) == [1, 2, 10, 20]
    assert numbers(str(tmp_path / "face*.png")) == [1, 2, 10]
    assert numbers(str(tmp_path / "face2.png")) == [2]
    assert numbers(f"file://{tmp_path}/face2.png") == [2]


def test_a_damaged_image_among_good_ones_is_told_and_left_out(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    for index in (1, 3):
        cv2.imwrite(str(tmp_path / f"{index}.png"), numbered(index))
    (tmp_path / "2.png").write_bytes(b"\x89PNG nonsense")
    with open_source(str(tmp_path)) as feed:
        frames = list(feed)
    assert [number_of(frame.image) for frame in frames] == [1, 3]
    assert [(frame.index, frame.file) for frame in frames] == [(0, "1.png"), (2, "3.png")]
    assert (feed.captured, feed.dropped) == (2, 0)
    assert "2.png: not an image" in caplog.text


def test_a_damaged_image_ends_a_strict_source_and_keeps_what_came_before(tmp_path: Path) -> None:
    cv2.imwrite(str(tmp_path / "1.png"), numbered(1))
    (tmp_path / "2.png").write_bytes(b"\x89PNG nonsense")
    with open_source(str(tmp_path), strict=True) as feed:
        frames = iter(feed)
        assert number_of(next(frames).image) == 1
        with pytest.raises(SourceFailed, match=r"2\.png.*before are kept"):
            next(frames)


def test_a_folder_of_damaged_images_is_one_line(tmp_path: Path) -> None:
    for index in range(3):
        (tmp_path / f"{index}.png").write_bytes(b"\x89PNG nonsense")
    with open_source(str(tmp_path)) as feed, pytest.raises(BadInput, match="none of its 3 images"):
        list(feed)


def test_what_is_not_read_of_a_folder_is_told_in_a_line(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "late").mkdir()
    for name in ("1.png", "late/2.png"):
        cv2.imwrite(str(tmp_path / name), numbered(1))
    (tmp_path / "._1.png").touch()
    with open_source(str(tmp_path)) as feed:
        assert [frame.file for frame in feed] == ["1.png"]
    left_out = "1 hidden, 1 folder (--recursive reads them)"
    assert caplog.messages == [f"{tmp_path}: left out: {left_out}"]
    with open_source(str(tmp_path), recursive=True) as feed:
        assert [frame.file for frame in feed] == ["1.png", "late/2.png"]


@pytest.mark.parametrize("delivery", ["realtime", "lossless"])
def test_an_error_of_a_library_in_a_reader_is_one_line(delivery: str, tmp_path: Path) -> None:
    """One bit a pixel: a small file, more pixels than OpenCV takes."""
    (tmp_path / "huge.png").write_bytes(png_header(40_000, 40_000))
    feed = open_source(str(tmp_path / "huge.png"), delivery)
    with feed, pytest.raises(FerError, match=r"huge\.png"):
        list(feed)


@pytest.mark.parametrize("delivery", ["realtime", "lossless"])
def test_a_bug_in_a_reader_ends_its_source_and_no_thread_in_silence(delivery: str) -> None:
    class Buggy(Reader):
        info = SourceInfo("buggy", 30, None, live=True)

        def read(self) -> Frame | None:
            raise ZeroDivisionError("by 0")

        def close(self) -> None:
            pass

    feed = CapturedFeed(Buggy(), every=delivery == "lossless")
    with feed, pytest.raises(SourceFailed, match=r"buggy.*ZeroDivisionError: by 0"):
        list(feed)


@pytest.mark.parametrize("uri", ["0", "/dev/null", "x.mp4"])
def test_what_is_no_source_is_one_line_with_a_hint(uri: str) -> None:
    with pytest.raises(FerError) as caught:
        open_source(uri)
    assert ("--camera 0" in str(caught.value)) == (uri == "0")


def test_the_demo_is_the_same_every_time_and_its_face_is_always_in_view() -> None:
    first, second = open_reader("demo"), open_reader("demo")
    for index in range(FRAMES):
        x, y, w, h = demo_face_box(index)
        assert x >= 0
        assert y >= 0
        assert x + w <= 640
        assert y + h <= 480
        if index % 50 == 0:
            a, b = first.read(), second.read()
            assert a is not None
            assert b is not None
            assert (a.image == b.image).all()
            assert a.image.shape == (480, 640, 3)


class MotionJPEG(BaseHTTPRequestHandler):
    """An HTTP camera: 30 numbered pictures, then the connection ends."""

    def do_GET(self) -> None:
        self.send_response(200)
        self.send_header("Content-Type", "multipart/x-mixed-replace; boundary=frame")
        self.end_headers()
        try:
            for index in range(24):
                jpeg = cv2.imencode(".jpg", numbered(index))[1].tobytes()
                self.wfile.write(b"--frame\r\nContent-Type: image/jpeg\r\n")
                self.wfile.write(b"Content-Length: %d\r\n\r\n" % len(jpeg) + jpeg + b"\r\n")
                sleep(0.01)
        except OSError:
            pass

    def log_message(self, *_: object) -> None:
        pass


def test_a_recording_over_http_gives_every_frame_and_ends_well(tmp_path: Path) -> None:
    write_video(tmp_path / "v.avi", 20)
    serve = partial(SimpleHTTPRequestHandler, directory=str(tmp_path))
    with ThreadingHTTPServer(("127.0.0.1", 0), serve) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        with open_source(f"http://127.0.0.1:{server.server_port}/v.avi") as feed:
            assert not feed.info.live
            assert [number_of(frame.image) for frame in feed] == list(range(20))
        server.shutdown()


@pytest.fixture
def http_camera() -> Iterator[str]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), MotionJPEG)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}/stream.mjpg"
    server.shutdown()
    server.server_close()


def test_an_http_camera_is_live_and_its_end_is_a_failure(http_camera: str) -> None:
    seen: list[int] = []
    with open_source(http_camera, connection=Connection(reconnect_s=0)) as feed:
        assert feed.info.live
        with pytest.raises(SourceFailed, match="no more frames"):
            seen.extend(number_of(frame.image) for frame in feed)
    assert feed.captured >= 20
    assert feed.captured >= feed.dropped


def test_an_http_camera_whose_connection_ends_is_opened_again(http_camera: str) -> None:
    with open_source(http_camera, "lossless", Connection(reconnect_s=0.01)) as feed:
        seen = [(frame.index, number_of(frame.image)) for frame in islice(feed, 40)]
    assert seen == [(index, index % 24) for index in range(40)]


@pytest.mark.parametrize(
    ("uri", "error", "words"),
    [
        ("missing.mp4", InputNotFound, "missing.mp4"),
        ("camera:97", InputNotFound, "camera 97"),
        ("camera:front", BadInput, "number"),
        ("", BadInput, "empty"),
        ("no*such.jpg", BadInput, "no images"),
        ("rtsp://user:secret@127.0.0.1:9/live", InputNotFound, "rtsp://127.0.0.1:9/live"),
        ("http://127.0.0.1:9/x.mjpg", InputNotFound, "127.0.0.1"),
    ],
)
def test_what_is_not_there_is_named(uri: str, error: type[Exception], words: str) -> None:
    with pytest.raises(error, match=words) as caught:
        open_source(uri)
    assert "secret" not in str(caught.value)
    assert "\n" not in str(caught.value)


def test_an_empty_folder_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="no images"):
        open_source(str(tmp_path))


def test_files_that_are_no_pictures_are_refused(tmp_path: Path) -> None:
    for name in ("noise.mp4", "noise.xyz"):
        (tmp_path / name).write_bytes(np.random.default_rng(0).bytes(5000))
        with pytest.raises(BadInput, match=name):
            open_source(str(tmp_path / name))
    (tmp_path / "noise.png").write_bytes(b"noise")
    with open_source(str(tmp_path / "noise.png")) as feed, pytest.raises(BadInput, match="noise"):
        list(feed)
    (tmp_path / "empty.mp4").touch()
    with pytest.raises(BadInput, match="empty"):
        open_source(str(tmp_path / "empty.mp4"))


def test_a_video_that_breaks_off_gives_what_it_has_and_says_so(tmp_path: Path) -> None:
    path = write_video(tmp_path / "v.avi", 24)
    data = path.read_bytes()
    path.write_bytes(data[: len(data) // 2])
    seen = []
    with open_source(str(path)) as feed, pytest.raises(SourceFailed, match=r"broke off after \d+"):
        for frame in feed:
            seen.append(frame.index)
    assert 0 < len(seen) < 24


@pytest.mark.parametrize(("shift", "bits"), [(0, 8), (2, 10), (4, 12), (8, 16)])
@pytest.mark.parametrize("suffix", [".png", ".tiff"])
def test_values_of_few_bits_in_sixteen_are_as_bright_as_the_picture(
    shift: int, bits: int, suffix: str, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    picture = np.random.default_rng(0).integers(0, 256, (32, 40, 3), np.uint8)
    picture[0, 0] = 255
    path = tmp_path / f"deep{suffix}"
    cv2.imwrite(str(path), picture.astype(np.uint16) << shift)
    assert np.abs(read_image(path).astype(int) - picture).max() <= 1
    assert (f"taken as of {bits} bits" in caplog.text) == (bits < 16)


def test_numbers_with_a_point_go_from_black_to_white(tmp_path: Path) -> None:
    picture = np.random.default_rng(0).integers(0, 256, (32, 40, 3), np.uint8)
    cv2.imwrite(str(tmp_path / "point.tiff"), picture.astype(np.float32) / 255)
    assert np.abs(read_image(tmp_path / "point.tiff").astype(int) - picture).max() <= 1


@pytest.mark.parametrize("name", ["talk.mp4", "face.jpg", "recording"])
def test_a_pointer_of_git_lfs_is_named(name: str, tmp_path: Path) -> None:
    (tmp_path / name).write_text("version https://git-lfs.github.com/spec/v1\noid sha256:0\n")
    with pytest.raises(BadInput, match=rf"{name}: a pointer of Git LFS.*git lfs pull"):
        open_reader(str(tmp_path / name)).read()
