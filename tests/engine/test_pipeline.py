from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

from fer_edge.engine.errors import BadInput
from fer_edge.engine.geometry import iou_matrix
from fer_edge.engine.pipeline import Pipeline
from fer_edge.engine.sources.base import LosslessFeed, Reader, SourceInfo
from fer_edge.engine.sources.demo import demo_face_box
from fer_edge.engine.types import Frame

from .scripted import scripted_pipeline

FACE = ((0.2, 0.2, 0.6, 0.5), 0.9)
OTHER = ((0.6, 0.7, 0.9, 0.9), 0.8)


class Still(Reader):
    """The same noisy picture, frame after frame."""

    def __init__(self, frames: int) -> None:
        self.info = SourceInfo("still", 10.0, frames, live=False)
        self._image = np.random.default_rng(0).integers(0, 256, (240, 320, 3), np.uint8)
        self._index = 0
        self.closed = False

    def read(self) -> Frame | None:
        if self._index == self.info.frame_count:
            return None
        self._index += 1
        return Frame(self._image, self._index - 1, (self._index - 1) / 10)

    def close(self) -> None:
        self.closed = True


@pytest.mark.parametrize("tracker", ["kcf", "none"])
@pytest.mark.parametrize("every", [1, 4, 10])
def test_detection_every_n_frames_and_tracking_in_between(tracker: str, every: int) -> None:
    feed = LosslessFeed(Still(25))
    with scripted_pipeline(lambda _: [FACE], feed, every, tracker) as (pipeline, backend):
        results = list(pipeline)
    assert backend.calls == len(range(0, 25, every))
    for result in results:
        (face,) = result.faces
        assert face.track.id == 1
        assert face.track.origin == ("tracked" if result.frame.index % every else "detected")
        assert face.expression == "happy"
        truth = np.array([[64, 48, 96, 96]], np.float32)
        assert iou_matrix(np.array([face.track.box], np.float32), truth)[0, 0] > 0.95


def test_detection_on_every_frame_while_there_is_no_face() -> None:
    with scripted_pipeline(lambda call: [FACE] if call >= 6 else [], LosslessFeed(Still(20))) as (
        pipeline,
        backend,
    ):
        counts = [len(result.faces) for result in pipeline]
    assert counts == [0] * 6 + [1] * 14
    assert backend.calls == 6 + 2


def test_ids_stay_with_their_faces_and_expressions_can_be_off() -> None:
    with scripted_pipeline(
        lambda call: [FACE, OTHER] if call % 2 else [OTHER, FACE],
        LosslessFeed(Still(30)),
        detect_every=3,
        classify=False,
    ) as (pipeline, _):
        boxes: dict[int, set[tuple[float, ...]]] = {}
        for result in pipeline:
            assert all(face.expression is None for face in result.faces)
            for face in result.faces:
                boxes.setdefault(face.track.id, set()).add(face.track.box)
    assert set(boxes) == {1, 2}
    assert all(len(places) == 1 for places in boxes.values())


def test_stills_are_detected_one_by_one_and_share_no_ids(tmp_path: Path) -> None:
    for index in range(4):
        cv2.imwrite(str(tmp_path / f"{index}.png"), np.full((96, 128, 3), 40 * index, np.uint8))
    with scripted_pipeline(lambda _: [FACE], str(tmp_path)) as (pipeline, backend):
        faces = [result.faces for result in pipeline]
    assert backend.calls == 4
    assert [face.track.origin for (face,) in faces] == ["detected"] * 4
    assert [face.track.id for (face,) in faces] == [1, 2, 3, 4]


def test_the_demo_face_is_followed_through_pan_and_zoom() -> None:
    def truth(call: int):
        x, y, w, h = demo_face_box(10 * call)
        return [((y / 480, x / 640, (y + h) / 480, (x + w) / 640), 0.9)]

    with scripted_pipeline(truth, "demo", tracker="kcf") as (pipeline, _):
        overlaps = []
        for result in pipeline:
            box = np.array([result.faces[0].track.box], np.float32)
            expected = np.array([demo_face_box(result.frame.index)], np.float32)
            overlaps.append(iou_matrix(box, expected)[0, 0])
            if result.frame.index == 99:
                pipeline.stop()
    assert len(overlaps) == 100
    assert np.median(overlaps) > 0.85


def test_closing_the_pipeline_closes_all_it_was_given() -> None:
    reader = Still(3)
    with scripted_pipeline(lambda _: [FACE], LosslessFeed(reader)) as (pipeline, backend):
        list(pipeline)
    pipeline.close()
    assert reader.closed
    assert backend.closed


@pytest.mark.parametrize(
    ("option", "words"),
    [
        ({"detect_every": 0}, "1 or more"),
        ({"min_score": 1.5}, "0-1"),
        ({"tracker": "psychic"}, "kcf, opencv, none"),
        ({"backend": "abacus"}, "abacus"),
    ],
)
def test_options_check_themselves(option: dict[str, object], words: str) -> None:
    with pytest.raises((BadInput, ImportError), match=words):
        Pipeline.open("demo", **option)
