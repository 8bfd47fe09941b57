"""The newest picture for everybody who looks: encoded once, only when somebody waits for it."""

from __future__ import annotations

import asyncio
import json
import struct
import threading
from collections.abc import Callable
from dataclasses import dataclass, replace
from time import monotonic, perf_counter
from typing import Any

import cv2

from ..draw import annotate, hide_faces
from ..sinks.records import face_record
from ..streams import StreamResult
from ..types import Face, FrameResult, Image, Track
from .levels import Levels

JPEG_QUALITY = 80
# Larger frames are shown smaller: encoding 4K would cost more than finding the faces in it.
MAX_WIDTH = 1280
MAX_PICTURES_PER_S = 30.0
# Eight viewers, and some that are about to leave.
MAX_VIEWERS = 16


@dataclass(frozen=True)
class View:
    """How pictures are shown.

    Attributes:
        blur: hide the faces; see `draw.hide_faces`.
        mirror: left and right changed, as people know themselves.
        landmarks: dots on eyes, nose and mouth, where faces are not blurred.
    """

    blur: bool = False
    mirror: bool = False
    landmarks: bool = True

    @property
    def dots(self) -> bool:
        """Whether landmarks are seen: of a blurred face they would give the features away."""
        return self.landmarks and not self.blur


@dataclass(frozen=True)
class Picture:
    """An encoded picture and what is in it.

    Attributes:
        number: counts the frames of the run; a viewer never gets one twice.
        header: JSON fields for the page; boxes are in pixels of the frame, as shown.
        jpeg: the picture, perhaps smaller than the frame.
        captured_s: see `streams.StreamResult`.
    """

    number: int
    header: dict[str, Any]
    jpeg: bytes
    captured_s: float

    def message(self, **fields: Any) -> bytes:
        """Length of the header (4 bytes, big-endian), header with age in ms, picture."""
        age_ms = round(1e3 * (perf_counter() - self.captured_s), 1)
        header = json.dumps({**self.header, "age_ms": age_ms, **fields}).encode()
        return struct.pack(">I", len(header)) + header + self.jpeg


@dataclass
class _Waiting:
    """A viewer that wants a picture newer than `after`."""

    source: int
    after: int
    future: asyncio.Future[Picture]
    loop: asyncio.AbstractEventLoop


class Pictures:
    """Holds the newest frame of each source and encodes it for those who wait.

    `offer` is called by the engine and returns at once; a thread encodes. A viewer that is
    slow asks less often, and costs nobody else anything.

    Args:
        levels: adds the level to each face.
        view: called before each picture.
    """

    def __init__(self, levels: Levels, view: Callable[[], View]) -> None:
        self._levels = levels
        self._view = view
        self._newest: dict[int, tuple[int, StreamResult]] = {}
        self._encoded: dict[int, Picture] = {}
        self._encoded_at_s: dict[int, float] = {}
        self._waiting: list[_Waiting] = []
        # Numbers of sources are never used twice.
        self._gone: set[int] = set()
        self._number = 0
        self._changed = threading.Condition()
        self._closed = False
        self._thread = threading.Thread(target=self._run, name="pictures", daemon=True)
        self._thread.start()

    def offer(self, result: StreamResult) -> None:
        """Take the newest frame of a source."""
        with self._changed:
            if result.source in self._gone:
                return
            self._number += 1
            self._newest[result.source] = (self._number, result)
            if self._waiting:
                self._changed.notify()

    def forget(self, source: int) -> None:
        """Drop the frames of a source that was removed, also those that are yet to come."""
        with self._changed:
            self._gone.add(source)
            self._newest.pop(source, None)
            self._encoded.pop(source, None)
            self._encoded_at_s.pop(source, None)

    async def next(self, source: int, after: int = 0) -> Picture:
        """The newest picture of a source, newer than number `after`; waits for one."""
        loop = asyncio.get_running_loop()
        waiting = _Waiting(source, after, loop.create_future(), loop)
        with self._changed:
            self._waiting.append(waiting)
            self._changed.notify()
        try:
            return await waiting.future
        finally:
            with self._changed:
                if waiting in self._waiting:
                    self._waiting.remove(waiting)

    def snapshot(self, source: int) -> bytes | None:
        """An annotated JPEG of the newest frame, drawn now; None before the first."""
        with self._changed:
            newest = self._newest.get(source)
        if newest is None:
            return None
        view, result = self._view(), newest[1].result
        return encode(annotate(result, view.blur, view.landmarks))

    def _run(self) -> None:
        while not self._closed:
            with self._changed:
                served = self._due()
                if not served:
                    self._changed.wait(timeout=self._pause_s())
                    continue
            for source, number, result in served:
                picture = self._picture(number, result)
                with self._changed:
                    if source not in self._gone:
                        self._encoded[source] = picture
                        self._encoded_at_s[source] = monotonic()

    def _due(self) -> list[tuple[int, int, StreamResult]]:
        """Hand out what is encoded already; return the frames to encode."""
        self._hand_out()
        due = []
        for source in {waiting.source for waiting in self._waiting}:
            newest = self._newest.get(source)
            fresh = newest is not None and (
                source not in self._encoded or self._encoded[source].number < newest[0]
            )
            if fresh and newest is not None and self._rest_s(source) <= 0:
                due.append((source, *newest))
        return due

    def _hand_out(self) -> None:
        left = []
        for waiting in self._waiting:
            picture = self._encoded.get(waiting.source)
            if picture is None or picture.number <= waiting.after:
                left.append(waiting)
            else:
                waiting.loop.call_soon_threadsafe(_resolve, waiting.future, picture)
        self._waiting = left

    def _rest_s(self, source: int) -> float:
        last_s = self._encoded_at_s.get(source, float("-inf"))
        return last_s + 1 / MAX_PICTURES_PER_S - monotonic()

    def _pause_s(self) -> float:
        rests = [self._rest_s(waiting.source) for waiting in self._waiting]
        return min([rest for rest in rests if rest > 0], default=0.5)

    def _picture(self, number: int, result: StreamResult) -> Picture:
        view, frame, faces = self._view(), result.result.frame, result.result.faces
        height, width = frame.image.shape[:2]
        header = {
            "source": result.source,
            "run": result.run,
            "number": number,
            "frame": frame.index,
            "time": round(frame.time_s, 3),
            "width": width,
            "height": height,
            "faces": [self._face(face, width, view) for face in faces],
        }
        return Picture(number, header, encode(shown(result.result, view)), result.captured_s)

    def _face(self, face: Face, width: int, view: View) -> dict[str, Any]:
        seen = replace(face, track=mirrored(face.track, width)) if view.mirror else face
        known = {**face_record(seen), "level": self._levels(face.expression)}
        if not view.dots:
            known.pop("landmarks", None)
        return known

    def close(self) -> None:
        """End the thread."""
        with self._changed:
            self._closed = True
            self._changed.notify()
        self._thread.join(2.0)


def shown(result: FrameResult, view: View) -> Image:
    """A frame as the page gets it: blurred, mirrored and made smaller as the view says.

    The page draws boxes and names itself, sharp and in its language.
    """
    image = result.frame.image
    if view.blur:
        image = image.copy()
        hide_faces(image, result)
    height, width = image.shape[:2]
    if width > MAX_WIDTH:
        size = (MAX_WIDTH, round(height * MAX_WIDTH / width))
        image = cv2.resize(image, size, interpolation=cv2.INTER_AREA)  # type: ignore[assignment]
    return cv2.flip(image, 1) if view.mirror else image  # type: ignore[return-value]


def mirrored(track: Track, width: int) -> Track:
    """A face of a frame so many pixels wide, left and right changed."""
    x, y, w, h = track.box
    points = [(width - across, down) for across, down in track.landmarks]
    # The eye and the corner of the mouth that are left as seen come first.
    points = [points[index] for index in (1, 0, 2, 4, 3)] if points else []
    return replace(track, box=(width - x - w, y, w, h), landmarks=tuple(points))


def encode(image: Image) -> bytes:
    """A BGR uint8 picture as JPEG."""
    return cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, JPEG_QUALITY])[1].tobytes()


def _resolve(future: asyncio.Future[Picture], picture: Picture) -> None:
    if not future.done():
        future.set_result(picture)
