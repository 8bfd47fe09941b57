"""Cameras of this machine, read with OpenCV."""

from __future__ import annotations

from pathlib import Path
from typing import cast

import cv2

from ..errors import InputNotFound, SourceFailed
from ..types import Frame, Image
from .base import Reader, SourceInfo
from .times import ArrivalTimes, plausible_fps


class Camera(Reader):
    """A camera by index. Times are those of arrival, since the first frame.

    Raises:
        InputNotFound: no camera of that index gives pictures.
    """

    def __init__(self, index: int) -> None:
        self._capture = _open_quietly(index)
        if not self._capture.isOpened():
            self._capture.release()
            raise InputNotFound(f"camera {index}: not found; {_cameras_present()}")
        # One buffered frame: the newest one is wanted, not the oldest.
        self._capture.set(cv2.CAP_PROP_BUFFERSIZE, 1)
        fps = plausible_fps(self._capture.get(cv2.CAP_PROP_FPS))
        self.info = SourceInfo(f"camera {index}", fps, None, True)
        self._times = ArrivalTimes()
        self._index = 0

    def read(self) -> Frame:
        """Return the next frame; see `Reader.read`."""
        image = cast(Image | None, self._capture.read()[1])
        if image is None:
            raise SourceFailed(f"{self.info.name}: gives no more frames after {self._index}")
        frame = Frame(image, self._index, self._times.now())
        self._index += 1
        return frame

    def close(self) -> None:
        """Release the camera; may be called twice."""
        self._capture.release()


def _open_quietly(index: int) -> cv2.VideoCapture:
    """Open a capture without OpenCV's own warnings: the caller says what went wrong."""
    level = cv2.utils.logging.getLogLevel()
    cv2.utils.logging.setLogLevel(cv2.utils.logging.LOG_LEVEL_SILENT)
    try:
        return cv2.VideoCapture(index)
    except cv2.error:
        return cv2.VideoCapture()
    finally:
        cv2.utils.logging.setLogLevel(level)


def _cameras_present() -> str:
    found = sorted(int(p.name[5:]) for p in Path("/dev").glob("video*") if p.name[5:].isdigit())
    if not found:
        return "this machine shows none; plug one in or give --source"
    return "this machine has " + ", ".join(map(str, found))
