"""Video files, cameras and network streams, read with OpenCV."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from time import perf_counter
from typing import cast

import cv2

from ..errors import BadInput, InputNotFound, SourceFailed
from ..redaction import redacted
from ..types import Frame, Image
from .base import Reader, SourceInfo

# FFmpeg's own lines on damaged files would stand beside the one clear error; OpenCV
# reads this when it opens its first video. A user's own setting stays.
os.environ.setdefault("OPENCV_FFMPEG_LOGLEVEL", "-8")

OPEN_TIMEOUT_MS = 5000
READ_TIMEOUT_MS = 5000
FALLBACK_FPS = 30.0
# Containers round their frame count from the duration; less than this share is a break.
COMPLETE_SHARE = 0.95


class Recording(Reader):
    """Every frame of a video that has an end.

    Args:
        capture: an open capture.
        name: for people.

    Raises:
        BadInput: not even one frame can be decoded.
    """

    def __init__(self, capture: cv2.VideoCapture, name: str) -> None:
        self._name = name
        self._capture = capture
        self._first = _grab(capture) if capture.isOpened() else None
        if self._first is None:
            capture.release()
            raise BadInput(f"{name}: not a video that can be decoded; expected MP4, AVI, MKV, ...")
        count = int(capture.get(cv2.CAP_PROP_FRAME_COUNT))
        self.info = SourceInfo(name, _fps(capture), count if count > 0 else None, False)
        self._index = 0

    def read(self) -> Frame | None:
        """Return the next frame; see `Reader.read`."""
        image, self._first = self._first, None
        if image is None:
            image = _grab(self._capture)
        if image is None:
            self._check_complete()
            return None
        frame = Frame(image, self._index, self._index / self.info.fps)
        self._index += 1
        return frame

    def _check_complete(self) -> None:
        expected = self.info.frame_count
        if expected is not None and self._index < COMPLETE_SHARE * expected - 1:
            raise SourceFailed(
                f"{self._name}: damaged, broke off after {self._index} of {expected} frames; "
                "results up to there are kept"
            )

    def close(self) -> None:
        """Close the file; may be called twice."""
        self._capture.release()


def open_video(path: Path) -> Recording:
    """Open a video file.

    Raises:
        InputNotFound: no file at `path`.
        BadInput: no video that OpenCV's FFmpeg can decode.
    """
    if not path.exists():
        raise InputNotFound(f"{path}: no such file")
    return Recording(_open_quietly(lambda: cv2.VideoCapture(str(path), cv2.CAP_FFMPEG)), str(path))


class Camera(Reader):
    """A camera by index.

    Raises:
        InputNotFound: no camera of that index gives pictures.
    """

    def __init__(self, index: int) -> None:
        self._capture = _open_quietly(lambda: cv2.VideoCapture(index))
        if not self._capture.isOpened():
            self._capture.release()
            raise InputNotFound(f"camera {index}: not found; {_cameras_present()}")
        # One buffered frame: the newest one is wanted, not the oldest.
        self._capture.set(cv2.CAP_PROP_BUFFERSIZE, 1)
        self.info = SourceInfo(f"camera {index}", _fps(self._capture), None, True)
        self._frames = _Clocked(self._capture, self.info.name)

    def read(self) -> Frame | None:
        """Return the next frame; see `Reader.read`."""
        return self._frames.read()

    def close(self) -> None:
        """Release the camera; may be called twice."""
        self._capture.release()


class Stream(Reader):
    """A network stream without an end, as RTSP, RTMP, UDP and HTTP cameras give it."""

    def __init__(self, capture: cv2.VideoCapture, name: str) -> None:
        self._capture = capture
        self.info = SourceInfo(name, _fps(capture), None, True)
        self._frames = _Clocked(capture, name)

    def read(self) -> Frame | None:
        """Return the next frame; see `Reader.read`."""
        return self._frames.read()

    def close(self) -> None:
        """Close the connection; may be called twice."""
        self._capture.release()


def open_url(url: str) -> Recording | Stream:
    """Open a URL: a recording where the server gives its length, a live stream else.

    Raises:
        InputNotFound: nothing that can be decoded answers at the URL in 5 seconds.
    """
    name = redacted(url)
    limits = [
        *(cv2.CAP_PROP_OPEN_TIMEOUT_MSEC, OPEN_TIMEOUT_MS),
        *(cv2.CAP_PROP_READ_TIMEOUT_MSEC, READ_TIMEOUT_MS),
    ]
    capture = _open_quietly(lambda: cv2.VideoCapture(url, cv2.CAP_FFMPEG, limits))
    if not capture.isOpened():
        capture.release()
        raise InputNotFound(f"{name}: no stream; check the address and that it is being sent")
    if capture.get(cv2.CAP_PROP_FRAME_COUNT) > 0:
        return Recording(capture, name)
    return Stream(capture, name)


class _Clocked:
    """Frames of a live capture, stamped with the time since the first one."""

    def __init__(self, capture: cv2.VideoCapture, name: str) -> None:
        self._capture = capture
        self._name = name
        self._started: float | None = None
        self._index = 0

    def read(self) -> Frame:
        image = _grab(self._capture)
        now = perf_counter()
        if image is None:
            raise SourceFailed(f"{self._name}: gives no more frames after {self._index}")
        if self._started is None:
            self._started = now
        frame = Frame(image, self._index, now - self._started)
        self._index += 1
        return frame


def _grab(capture: cv2.VideoCapture) -> Image | None:
    return cast(Image | None, capture.read()[1])


def _fps(capture: cv2.VideoCapture) -> float:
    fps = capture.get(cv2.CAP_PROP_FPS)
    return fps if 0.1 <= fps <= 1000 else FALLBACK_FPS


def _open_quietly(opening: Callable[[], cv2.VideoCapture]) -> cv2.VideoCapture:
    """Open a capture without OpenCV's own warnings: the caller says what went wrong."""
    level = cv2.utils.logging.getLogLevel()
    cv2.utils.logging.setLogLevel(cv2.utils.logging.LOG_LEVEL_SILENT)
    try:
        return opening()
    except cv2.error:
        return cv2.VideoCapture()
    finally:
        cv2.utils.logging.setLogLevel(level)


def _cameras_present() -> str:
    found = sorted(int(p.name[5:]) for p in Path("/dev").glob("video*") if p.name[5:].isdigit())
    if not found:
        return "this machine shows none; plug one in or give --source"
    return "this machine has " + ", ".join(map(str, found))
