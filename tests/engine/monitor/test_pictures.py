from __future__ import annotations

import asyncio
import json
import struct
from collections.abc import Callable
from time import perf_counter

import cv2
import numpy as np
import pytest

from fer_edge.engine.monitor import pictures as module
from fer_edge.engine.monitor.pictures import MAX_WIDTH, Pictures, View, mirrored, shown
from fer_edge.engine.monitor.rulebook import default_levels
from fer_edge.engine.streams import StreamResult
from fer_edge.engine.types import Face, Frame, FrameResult, Track

BOX = (20.0, 30.0, 40.0, 50.0)
MARKS = ((31.0, 45.0), (49.0, 46.0), (42.0, 57.0), (33.0, 68.0), (47.0, 68.5))
FACE = Face(Track(7, BOX, 0.9, "detected", MARKS), {"happy": 0.75, "sad": 0.25})


def result(index: int, source: int = 1, size: tuple[int, int] = (160, 120)) -> StreamResult:
    image = np.full((size[1], size[0], 3), index % 250, np.uint8)
    return StreamResult(
        source, 0, FrameResult(Frame(image, index, index / 30), (FACE,)), perf_counter(), None, 0.0
    )


def parse(message: bytes) -> tuple[dict[str, object], np.ndarray]:
    (length,) = struct.unpack(">I", message[:4])
    header = json.loads(message[4 : 4 + length])
    return header, cv2.imdecode(np.frombuffer(message[4 + length :], np.uint8), cv2.IMREAD_COLOR)


@pytest.fixture
def encodings(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Counts what is encoded, by the brightness of the picture."""
    seen: list[int] = []
    real: Callable[[np.ndarray], bytes] = module.encode

    def counting(image: np.ndarray) -> bytes:
        seen.append(int(image[0, 0, 0]))
        return real(image)

    monkeypatch.setattr(module, "encode", counting)
    monkeypatch.setattr(module, "MAX_PICTURES_PER_S", 1e6)
    return seen


def test_nothing_is_encoded_while_nobody_looks(encodings: list[int]) -> None:
    pictures = Pictures(default_levels(), View)
    for index in range(100):
        pictures.offer(result(index))
    pictures.close()
    assert encodings == []


def test_a_removed_source_has_no_picture_whatever_comes_late() -> None:
    pictures = Pictures(default_levels(), View)
    pictures.offer(result(0))
    assert pictures.snapshot(1) is not None
    pictures.forget(1)
    pictures.offer(result(1))
    pictures.offer(result(2, source=2))
    pictures.close()
    assert pictures.snapshot(1) is None
    assert pictures.snapshot(2) is not None


def test_eight_viewers_share_one_encoding_of_the_newest_frame(encodings: list[int]) -> None:
    async def look() -> list[int]:
        pictures = Pictures(default_levels(), View)
        for index in range(50):
            pictures.offer(result(index))
        found = await asyncio.gather(*(pictures.next(1) for _ in range(8)))
        pictures.close()
        return [picture.header["frame"] for picture in found]

    assert asyncio.run(look()) == [49] * 8
    assert encodings == [49]


def test_a_slow_viewer_skips_and_never_gets_a_picture_twice(encodings: list[int]) -> None:
    async def look() -> list[int]:
        pictures = Pictures(default_levels(), View)
        numbers, number = [], 0
        for index in range(30):
            pictures.offer(result(index))
            if index % 10 == 9:
                picture = await asyncio.wait_for(pictures.next(1, number), 5)
                number = picture.number
                numbers.append(picture.header["frame"])
        with pytest.raises(asyncio.TimeoutError):
            await asyncio.wait_for(pictures.next(1, number), 0.05)
        pictures.offer(result(77))
        numbers.append((await asyncio.wait_for(pictures.next(1, number), 5)).header["frame"])
        pictures.close()
        return numbers

    assert asyncio.run(look()) == [9, 19, 29, 77]
    assert encodings == [9, 19, 29, 77]


def test_viewers_of_one_source_do_not_see_another() -> None:
    async def look() -> tuple[int, int]:
        pictures = Pictures(default_levels(), View)
        pictures.offer(result(1, source=1))
        pictures.offer(result(2, source=2))
        one, two = await asyncio.gather(pictures.next(1), pictures.next(2))
        pictures.close()
        return one.header["source"], two.header["source"]

    assert asyncio.run(look()) == (1, 2)


def test_a_message_says_what_is_in_its_picture_and_how_old_it_is() -> None:
    async def look() -> bytes:
        pictures = Pictures(default_levels(), View)
        pictures.offer(result(5))
        picture = await pictures.next(1)
        pictures.close()
        return picture.message(echo=12.5)

    header, image = parse(asyncio.run(look()))
    assert image.shape == (120, 160, 3)
    assert (header["width"], header["height"], header["frame"], header["echo"]) == (
        160,
        120,
        5,
        12.5,
    )
    assert header["age_ms"] > 0  # type: ignore[operator]
    (face,) = header["faces"]  # type: ignore[misc]
    assert face["id"] == 7
    assert face["box"] == list(BOX)
    assert (face["expression"], face["level"]) == ("happy", "high")


def seen_in(image: np.ndarray, *faces: Face) -> FrameResult:
    return FrameResult(Frame(image, 0, 0.0), faces, np.zeros((0, 4), np.float32))


def test_mirror_turns_picture_and_boxes() -> None:
    image = np.zeros((120, 160, 3), np.uint8)
    image[30:80, 20:60] = 255
    seen = shown(seen_in(image, FACE), View(mirror=True))
    assert np.array_equal(seen, image[:, ::-1])
    pictures = Pictures(default_levels(), View)
    x, y, w, h = map(int, pictures._face(FACE, 160, View(mirror=True))["box"])
    pictures.close()
    assert seen[y : y + h, x : x + w].min() == 255


def test_blur_leaves_nothing_of_a_face() -> None:
    rng = np.random.default_rng(0)
    image = rng.integers(0, 256, (120, 160, 3), np.uint8)
    before = image.copy()
    seen = shown(seen_in(image, FACE), View(blur=True))
    assert np.array_equal(image, before)
    x, y, w, h = map(int, BOX)
    region = seen[y : y + h, x : x + w].reshape(-1, 3)
    assert len(np.unique(region, axis=0)) <= 36
    assert np.array_equal(seen[100:, 100:], image[100:, 100:])


def test_a_frame_whose_faces_are_not_known_is_blurred_as_a_whole() -> None:
    image = np.random.default_rng(0).integers(0, 256, (120, 160, 3), np.uint8)
    hidden = shown(FrameResult(Frame(image, 0, 0.0), ()), View(blur=True))
    assert len(np.unique(hidden.reshape(-1, 3), axis=0)) <= 36


def test_landmarks_are_mirrored_with_the_picture_and_left_stays_first() -> None:
    track = mirrored(FACE.track, 160)
    left_eye, right_eye, nose, left_mouth, right_mouth = track.landmarks
    assert (left_eye, right_eye, nose) == ((111.0, 46.0), (129.0, 45.0), (118.0, 57.0))
    assert left_mouth[0] < right_mouth[0]
    assert mirrored(track, 160) == FACE.track
    assert track.pose is not None
    assert FACE.pose is not None
    assert (track.pose.roll, track.pose.yaw) == pytest.approx((-FACE.pose.roll, -FACE.pose.yaw))
    assert mirrored(Track(1, BOX, 0.9, "detected"), 160).landmarks == ()


@pytest.mark.parametrize("mirror", [False, True])
def test_landmarks_can_be_switched_off_and_are_never_given_of_a_blurred_face(mirror: bool) -> None:
    pictures = Pictures(default_levels(), View)
    faces = {
        view: pictures._face(FACE, 160, view)
        for view in (
            View(mirror=mirror),
            View(mirror=mirror, landmarks=False),
            View(mirror=mirror, blur=True),
        )
    }
    pictures.close()
    assert ["landmarks" in face for face in faces.values()] == [True, False, False]


def test_large_frames_are_shown_smaller() -> None:
    image = np.zeros((2160, 3840, 3), np.uint8)
    assert shown(seen_in(image), View()).shape == (720, MAX_WIDTH, 3)


def test_a_snapshot_has_the_faces_drawn_into_it() -> None:
    pictures = Pictures(default_levels(), View)
    assert pictures.snapshot(1) is None
    pictures.offer(result(0))
    jpeg = pictures.snapshot(1)
    pictures.forget(1)
    assert pictures.snapshot(1) is None
    pictures.close()
    assert jpeg is not None
    image = cv2.imdecode(np.frombuffer(jpeg, np.uint8), cv2.IMREAD_COLOR)
    assert image.max() > 100
