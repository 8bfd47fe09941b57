from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from concurrent.futures import Executor, Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from fer_edge.engine.backends import FakeBackend
from fer_edge.engine.errors import BadInput
from fer_edge.engine.geometry import iou_matrix
from fer_edge.engine.pipeline import Pipeline
from fer_edge.engine.sources.base import LosslessFeed, Reader, SourceInfo
from fer_edge.engine.sources.demo import demo_face_box
from fer_edge.engine.types import Frame

from .scripted import Found, expression_facts, fake_expression, marks_in, scripted_pipeline

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


@pytest.mark.parametrize("tracker", ["kcf", "opencv", "none"])
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


@pytest.mark.parametrize("every", [1, 4])
def test_faces_are_classified_in_turn_and_always_have_an_expression(every: int) -> None:
    expression = fake_expression()
    with scripted_pipeline(
        lambda _: [FACE], LosslessFeed(Still(20)), expression=expression, classify_every=every
    ) as (pipeline, _):
        for result in pipeline:
            assert [face.expression for face in result.faces] == ["happy"]
    # Once where the face is new, then in its turns.
    assert expression.calls == (20 if every == 1 else 1 + len(range(2, 20, 4)))


def test_stills_are_detected_one_by_one_and_share_no_ids(tmp_path: Path) -> None:
    for index in range(4):
        cv2.imwrite(str(tmp_path / f"{index}.png"), np.full((96, 128, 3), 40 * index, np.uint8))
    with scripted_pipeline(lambda _: [FACE], str(tmp_path)) as (pipeline, backend):
        faces = [result.faces for result in pipeline]
    assert backend.calls == 4
    assert [face.track.origin for (face,) in faces] == ["detected"] * 4
    assert [face.track.id for (face,) in faces] == [1, 2, 3, 4]


def test_the_demo_face_is_followed_through_pan_and_zoom() -> None:
    with scripted_pipeline(lambda call: demo_truth(10 * call), "demo", tracker="kcf") as (
        pipeline,
        _,
    ):
        overlaps = []
        for result in pipeline:
            box = np.array([result.faces[0].track.box], np.float32)
            expected = np.array([demo_face_box(result.frame.index)], np.float32)
            overlaps.append(iou_matrix(box, expected)[0, 0])
            if result.frame.index == 99:
                pipeline.stop()
    assert len(overlaps) == 100
    assert np.median(overlaps) > 0.85


class ByHand(Executor):
    """Runs what was submitted when it is told to: a worker as slow as the test wants."""

    def __init__(self) -> None:
        self.waiting: list[tuple[Future[Any], Callable[[], Any]]] = []

    def submit(self, function: Callable[..., Any], /, *args: Any, **named: Any) -> Future[Any]:
        future: Future[Any] = Future()
        self.waiting.append((future, lambda: function(*args, **named)))
        return future

    def finish(self) -> None:
        (future, work), *self.waiting = self.waiting
        future.set_result(work())


def demo_truth(index: int) -> Found:
    x, y, w, h = demo_face_box(index)
    return [((y / 480, x / 640, (y + h) / 480, (x + w) / 640), 0.9)]


def test_no_frame_waits_for_a_detector_beside_the_loop() -> None:
    """The n-th detection, in frame 10 n, is ready five frames later."""
    worker = ByHand()
    found, submitted, overlaps = {}, [], []
    with scripted_pipeline(
        lambda call: demo_truth(submitted[call]),
        "demo",
        tracker="kcf",
        executor=worker,
        landmarks=True,
    ) as (pipeline, backend):
        for result in pipeline:
            index = result.frame.index
            if len(worker.waiting) + backend.calls > len(submitted):
                submitted.append(index)
            if worker.waiting and index == submitted[-1] + 5:
                worker.finish()
            found[index] = result.faces
            for face in result.faces:
                assert face.track.origin == "tracked"
                assert face.track.id == 1
                box = np.array([face.track.box], np.float32)
                truth = np.array([demo_face_box(index)], np.float32)
                overlaps.append(iou_matrix(box, truth)[0, 0])
                off = np.abs(face.track.landmarks - marks_in(demo_face_box(index)))
                assert off.max() < 0.03 * face.track.box[3]
            if index == 60:
                pipeline.stop()
    assert submitted == [0, 10, 20, 30, 40, 50, 60]
    assert [index for index, faces in found.items() if not faces] == [0, 1, 2, 3, 4, 5]
    assert len(overlaps) == 55
    assert min(overlaps) > 0.95


def test_a_detector_beside_the_loop_begins_when_the_frame_is_done() -> None:
    """Two networks at the same time would slow the frame down."""
    worker = ByHand()
    waiting: list[int] = []

    def answer(_: int, inputs: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
        waiting.append(len(worker.waiting))
        return {"probabilities": np.full((len(inputs["face"]), 7), 1 / 7, np.float32)}

    with scripted_pipeline(
        lambda _: [FACE], LosslessFeed(Still(1)), detect_every=1, executor=worker,
        expression=FakeBackend(answer, expression_facts()),
    ) as (pipeline, _):  # fmt: skip
        for index in range(4):
            pipeline.process(Frame(np.zeros((240, 320, 3), np.uint8), index, index / 10))
            worker.finish()
    assert waiting == [0, 0, 0]


def test_a_late_detection_of_another_scene_is_not_taken_over() -> None:
    worker = ByHand()
    noise = np.random.default_rng(0).integers(0, 256, (240, 320, 3), np.uint8)
    dark = np.random.default_rng(1).integers(0, 60, (240, 320, 3), np.uint8)
    with scripted_pipeline(
        lambda _: [FACE], LosslessFeed(Still(1)), tracker="none", executor=worker
    ) as (pipeline, _):
        assert pipeline.process(Frame(noise, 0, 0.0)).faces == ()
        assert pipeline.process(Frame(dark, 1, 0.1)).faces == ()
        worker.finish()
        assert pipeline.process(Frame(dark, 2, 0.2)).faces == ()
        worker.finish()
        (face,) = pipeline.process(Frame(dark, 3, 0.3)).faces
    assert face.track.id == 1


def test_a_thread_detects_beside_the_loop_and_ends_with_the_pipeline() -> None:
    executor = ThreadPoolExecutor(1)
    go_on = threading.Event()

    def script(call: int) -> Found:
        assert threading.current_thread() is not threading.main_thread()
        assert go_on.wait(timeout=60)
        return [FACE]

    still = Still(1).read()
    assert still is not None
    with scripted_pipeline(script, LosslessFeed(Still(1)), executor=executor) as (pipeline, _):
        assert pipeline.process(still).faces == ()
        go_on.set()
        # The next thing that the only worker does: so the detection is ready.
        executor.submit(int).result(timeout=60)
        assert len(pipeline.process(still).faces) == 1
    with pytest.raises(RuntimeError):
        executor.submit(int)


def test_an_error_of_a_detector_beside_the_loop_is_raised_in_the_loop() -> None:
    class Failing(ByHand):
        def finish(self) -> None:
            self.waiting.pop()[0].set_exception(BadInput("the model is damaged"))

    worker = Failing()
    still = Still(1).read()
    assert still is not None
    with scripted_pipeline(lambda _: [], LosslessFeed(Still(1)), executor=worker) as (pipeline, _):
        pipeline.process(still)
        worker.finish()
        with pytest.raises(BadInput, match="damaged"):
            pipeline.process(still)


def test_a_cut_is_detected_in_at_once_and_gives_new_ids() -> None:
    scenes = [
        np.random.default_rng(n).integers(0, 60 + 180 * n, (240, 320, 3), np.uint8) for n in (0, 1)
    ]
    with scripted_pipeline(lambda _: [FACE], LosslessFeed(Still(1)), tracker="kcf") as (
        pipeline,
        backend,
    ):
        for index in range(8):
            (face,) = pipeline.process(Frame(scenes[index // 4], index, index / 10)).faces
            assert face.track.id == 1 + index // 4
            assert face.track.origin == ("tracked" if index % 4 else "detected")
    assert backend.calls == 2


def test_auto_detects_less_often_where_nothing_moves() -> None:
    with scripted_pipeline(
        lambda _: [FACE], LosslessFeed(Still(100)), detect_every="auto", tracker="kcf"
    ) as (pipeline, backend):
        assert all(len(result.faces) == 1 for result in pipeline)
    assert backend.calls < 8


def test_expressions_are_smoothed_and_stay_available_as_they_were() -> None:
    favourites = [3, 3, 3, 5, 5, 5, 5, 5, 5]

    def answer(call: int, inputs: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
        rows = np.full((1, 7), 0.1, np.float32)
        rows[:, favourites[call]] = 0.4
        return {"probabilities": rows}

    with scripted_pipeline(
        lambda _: [FACE], LosslessFeed(Still(9)), smooth_s=0.3,
        expression=FakeBackend(answer, expression_facts()),
    ) as (pipeline, _):  # fmt: skip
        faces = [result.faces[0] for result in pipeline]
    raw = [max(face.raw, key=face.raw.__getitem__) for face in faces]
    assert raw == ["happy"] * 3 + ["surprise"] * 6
    assert [face.expression for face in faces] == ["happy"] * 5 + ["surprise"] * 4
    assert all(sum(face.probabilities.values()) == pytest.approx(1, abs=1e-5) for face in faces)


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
        ({"classify_every": 0}, "classification every 0 frames"),
        ({"smooth_s": -1.0}, "0 or more"),
        ({"max_age_s": -1.0}, "0 or more"),
        ({"min_score": 1.5}, "0-1"),
        ({"tracker": "psychic"}, "kcf, opencv, none"),
        ({"backend": "abacus"}, "abacus"),
    ],
)
def test_options_check_themselves(option: dict[str, object], words: str) -> None:
    with pytest.raises((BadInput, ImportError), match=words):
        Pipeline.open("demo", **option)
