"""Several sources through one engine: real readers, trackers and threads, scripted networks."""

from __future__ import annotations

import threading
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from fer_edge.engine.backends import FakeBackend
from fer_edge.engine.classifier import ExpressionClassifier
from fer_edge.engine.config import PipelineConfig
from fer_edge.engine.detector import Detector
from fer_edge.engine.errors import BadInput, InputNotFound, SourceFailed
from fer_edge.engine.sources import Reader, open_reader
from fer_edge.engine.sources.base import SourceInfo
from fer_edge.engine.streams import MAX_SOURCES, StreamResult, Streams
from fer_edge.engine.types import Boxes, Detections, Floats, Frame, Image

from .scripted import (
    Found,
    detector_facts,
    expression_facts,
    fake_detector,
    fake_expression,
    marks_in,
)

FACE: Found = [((0.2, 0.2, 0.6, 0.5), 0.9)]
TWO: Found = [*FACE, ((0.6, 0.7, 0.9, 0.9), 0.4)]


class Numbered(Reader):
    """The same noise again and again, no cut in it; may break off, or wait for a sign."""

    def __init__(
        self,
        name: str,
        frames: int,
        breaks_at: int | None = None,
        live: bool = False,
        go: threading.Event | None = None,
        level: int = 100,
    ) -> None:
        self.info = SourceInfo(name, 1000.0, None if live else frames, live)
        self._frames, self._breaks_at, self._go = frames, breaks_at, go
        self._level = level
        self._index = 0
        self.closed = False

    def read(self) -> Frame | None:
        if self._go is not None:
            self._go.wait(5)
        if self._index == self._breaks_at:
            raise SourceFailed(f"{self.info.name}: broke")
        if self._index == self._frames:
            return None
        self._index += 1
        image = np.random.default_rng(0).integers(0, self._level, (48, 64, 3), np.uint8)
        return Frame(image, self._index - 1, (self._index - 1) / 1000)

    def close(self) -> None:
        self.closed = True


def streams_of(
    readers: dict[str, list[Reader]],
    delivery: str = "lossless",
    found: Found = FACE,
    every: int = 5,
) -> Streams:
    """Streams whose sources are opened from lists, one reader an opening."""

    def opener(uri: str) -> Reader:
        waiting = readers.get(uri, [])
        if not waiting:
            raise InputNotFound(f"{uri}: not there")
        return waiting.pop(0)

    config = PipelineConfig(detect_every=every, tracker="none", delivery=delivery, min_score=0.0)  # type: ignore[arg-type]
    return Streams(
        Detector(fake_detector(lambda _: found, landmarks=True)),
        ExpressionClassifier(fake_expression()),
        config,
        opener=opener,
    )


def test_every_source_has_its_own_frames_ids_and_schedule() -> None:
    lengths = {"a": 30, "b": 12, "c": 21}
    readers: dict[str, list[Reader]] = {k: [Numbered(k, n)] for k, n in lengths.items()}
    opened = [reader for waiting in readers.values() for reader in waiting]
    with streams_of(readers) as streams:
        ids = {streams.add(name): name for name in lengths}
        seen: dict[str, list[StreamResult]] = defaultdict(list)
        for result in streams:
            seen[ids[result.source]].append(result)
        status = {ids[s.source]: s for s in streams.sources}
    for name, length in lengths.items():
        assert [r.result.frame.index for r in seen[name]] == list(range(length))
        detected = [r.detect_s is not None for r in seen[name]]
        assert detected == [index % 5 == 0 for index in range(length)]
        assert {face.track.id for r in seen[name] for face in r.result.faces} == {1}
        assert {face.expression for r in seen[name] for face in r.result.faces} == {"happy"}
        assert (status[name].captured, status[name].processed, status[name].dropped) == (
            length, length, 0,
        )  # fmt: skip
        assert status[name].state == "ended"
    assert all(reader.closed for reader in opened)


def test_expressions_of_all_sources_are_one_run_of_the_network() -> None:
    go = threading.Event()
    readers: dict[str, list[Reader]] = {k: [Numbered(k, 20, go=go)] for k in "ab"}
    expression = fake_expression()
    streams = streams_of(readers)
    streams._classifier = ExpressionClassifier(expression)
    with streams:
        for name in "ab":
            streams.add(name)
        go.set()
        results = list(streams)
    assert len(results) == 40
    # Rounds with a frame of either source share a run.
    assert 20 <= expression.calls < 40


def test_a_failing_source_says_so_and_leaves_the_others_alone() -> None:
    readers: dict[str, list[Reader]] = {
        "good": [Numbered("good", 40)],
        "bad": [Numbered("bad", 40, breaks_at=3)],
    }
    with streams_of(readers) as streams:
        for name in ("bad", "missing", "good"):
            streams.add(name)
        counts = Counter(result.source for result in streams)
        bad, missing, good = streams.sources
    assert counts == {1: 3, 3: 40}
    assert (bad.state, bad.message) == ("failed", "bad: broke")
    assert (missing.state, missing.message) == ("failed", "missing: not there")
    assert (good.state, good.message) == ("ended", "")


class Broken(Numbered):
    """Gives pictures without colour channels, as a faulty driver may."""

    def read(self) -> Frame | None:
        frame = super().read()
        return frame and Frame(frame.image[..., 0], frame.index, frame.time_s)


def test_a_source_of_broken_pictures_leaves_the_others_alone() -> None:
    readers: dict[str, list[Reader]] = {"good": [Numbered("good", 20)], "bad": [Broken("bad", 20)]}
    with streams_of(readers) as streams:
        for name in readers:
            streams.add(name)
        counts = Counter(result.source for result in streams)
        good, bad = streams.sources
    assert counts == {1: 20}
    assert good.state == "ended"
    assert bad.state == "failed"
    assert "bad: gives frames of shape (48, 64)" in bad.message


def test_a_source_that_the_networks_fail_on_leaves_the_others_alone() -> None:
    def find(call: int, inputs: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
        # Pixels of 128 and more are positive to the network.
        if inputs["image"].max() > 0:
            raise ValueError("too bright")
        return fake_detector(lambda _: FACE).infer(inputs)

    readers: dict[str, list[Reader]] = {
        "dark": [Numbered("dark", 100)],
        "bright": [Numbered("bright", 100, level=256)],
    }
    with streams_of(readers) as streams:
        streams._shared.detector._detector = Detector(FakeBackend(find, detector_facts()))
        for name in readers:
            streams.add(name)
        counts = Counter(result.source for result in streams)
        dark, bright = streams.sources
    assert counts == {1: 100}
    assert dark.state == "ended"
    assert (bright.state, bright.message) == (
        "failed",
        "its frames cannot be processed (too bright)",
    )


def test_a_live_source_is_opened_again_and_its_frames_go_on(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("fer_edge.engine.sources.capture.FIRST_RETRY_S", 0.01)
    readers: dict[str, list[Reader]] = {
        "camera:7": [Numbered("7", 99, breaks_at=5, live=True), Numbered("7", 4, live=True)]
    }
    with streams_of(readers) as streams:
        streams.add("camera:7")
        results = list(streams)
        (status,) = streams.sources
    assert [r.result.frame.index for r in results] == list(range(9))
    times = [r.result.frame.time_s for r in results]
    assert times == sorted(times)
    assert (status.state, status.reconnects, status.message) == ("ended", 1, "")


def test_frames_that_nobody_took_are_counted_exactly() -> None:
    readers: dict[str, list[Reader]] = {"a": [Numbered("a", 300, live=True)]}
    with streams_of(readers, "realtime") as streams:
        streams.add("a")
        processed = [result.result.frame.index for result in streams]
        (status,) = streams.sources
    assert status.captured == 300
    assert status.processed == len(processed)
    assert status.dropped == 300 - len(processed)
    assert processed == sorted(set(processed))
    assert processed[-1] == 299


def test_faces_of_a_live_source_are_detected_beside_the_loop() -> None:
    readers: dict[str, list[Reader]] = {"a": [Numbered("a", 10**6, live=True)]}
    with streams_of(readers, "realtime") as streams:
        streams.add("a")
        result = next(result for result in streams if result.result.faces)
        # What was detected in an earlier frame was followed to this one, and classified.
        (face,) = result.result.faces
        assert face.expression == "happy"
        assert result.result.frame.index > 0


def test_sources_come_and_go_while_it_runs() -> None:
    readers: dict[str, list[Reader]] = {k: [Numbered(k, 10**6)] for k in "ab"}
    with streams_of(readers) as streams:
        first = streams.add("a")
        second = None
        counts: Counter[int] = Counter()
        for result in streams:
            counts[result.source] += 1
            if counts[first] == 10 and second is None:
                second = streams.add("b")
            if second is not None and counts[second] == 10:
                streams.remove(first)
                counts[first] = 0
            if second is not None and counts[second] == 40:
                break
        assert counts[first] <= 1
        assert [status.source for status in streams.sources] == [second]
        with pytest.raises(InputNotFound, match="no source 1"):
            streams.pause(first)


def test_a_recording_waits_in_a_pause_and_starts_anew_after_a_stop() -> None:
    readers: dict[str, list[Reader]] = {"a": [Numbered("a", 50), Numbered("a", 10)]}
    with streams_of(readers) as streams:
        streams.endless = True
        source = streams.add("a")
        indices: list[tuple[int, int]] = []
        for result in streams:
            indices.append((result.run, result.result.frame.index))
            if len(indices) == 20:
                streams.pause(source)
                assert streams.sources[0].state == "paused"
                threading.Timer(0.05, streams.start, [source]).start()
            if indices[-1] == (0, 49):
                threading.Timer(0.05, streams.start, [source]).start()
            if indices[-1] == (1, 9):
                streams.stop()
        assert indices == [(0, i) for i in range(50)] + [(1, i) for i in range(10)]


def test_settings_change_between_frames_and_keep_the_ids() -> None:
    readers: dict[str, list[Reader]] = {"a": [Numbered("a", 60)]}
    with streams_of(readers, found=TWO) as streams:
        streams.add("a")
        results = []
        for result in streams:
            results.append(result)
            if len(results) == 30:
                streams.configure(PipelineConfig(detect_every=1, tracker="none", min_score=0.5))
    before, after = results[:30], results[30:]
    assert [r.detect_s is not None for r in before] == [i % 5 == 0 for i in range(30)]
    assert all(r.detect_s is not None for r in after)
    assert {len(r.result.faces) for r in before} == {2}
    assert {len(r.result.faces) for r in after} == {1}
    assert after[-1].result.faces[0].track.id == 1


def test_every_source_has_turns_of_classification_of_its_own() -> None:
    readers: dict[str, list[Reader]] = {name: [Numbered(name, 40)] for name in "ab"}
    seen: Counter[int] = Counter()
    with streams_of(readers, found=TWO) as streams:
        streams.configure(replace(streams.config, classify_every=10))
        batch = streams._classifier.batch  # type: ignore[union-attr]

        def counting(views: Sequence[tuple[Image, Boxes]]) -> list[Floats]:
            seen.update(len(boxes) for _, boxes, _ in views)
            return batch(views)

        streams._classifier.batch = counting  # type: ignore[union-attr, method-assign]
        for name in readers:
            streams.add(name)
        for result in streams:
            assert {face.expression for face in result.result.faces} == {"happy"}
            assert len(result.result.faces) == 2
    # Both faces where they are new, then one at a time.
    assert seen == {2: 2, 1: 16, 0: 62}


def test_there_is_an_end_to_the_number_of_sources() -> None:
    with streams_of({}) as streams:
        for _ in range(MAX_SOURCES):
            streams.add("nothing")
        with pytest.raises(BadInput, match="remove one first"):
            streams.add("nothing")


def test_the_demo_runs_as_it_does_in_a_pipeline(tmp_path: Path) -> None:
    with streams_of({"demo": [open_reader("demo")]}) as streams:
        streams.add("demo")
        results = list(streams)
    assert len(results) == 600
    assert all(result.track_s >= 0 for result in results)


@pytest.mark.parametrize(("least", "faces"), [(0.0, 2), (0.5, 1), (0.95, 0)])
def test_landmarks_stay_with_their_boxes_whatever_is_left_out(least: float, faces: int) -> None:
    readers: dict[str, list[Reader]] = {"a": [Numbered("a", 3)]}
    with streams_of(readers, found=TWO[::-1]) as streams:
        streams.configure(replace(streams.config, min_score=least))
        streams.add("a")
        for result in streams:
            tracks = [face.track for face in result.result.faces]
            assert len(tracks) == faces
            for track in tracks:
                np.testing.assert_allclose(track.landmarks, marks_in(track.box), atol=1e-3)


def test_a_source_stopped_and_started_while_its_frame_is_in_hand_goes_on() -> None:
    readers: dict[str, list[Reader]] = {
        "a": [Numbered("a", 10**6), Numbered("a", 7)],
        "b": [Numbered("b", 40)],
    }
    with streams_of(readers) as streams:
        detector = streams._shared.detector._detector
        first = streams.add("a")
        calls: list[Image] = []

        def find(image: Image) -> Detections:
            calls.append(image)
            if len(calls) == 3:
                # What the threads of an API may do at any time.
                streams.halt(first)
                streams.start(first)
            return detector(image)

        streams._shared.detector._detector = find
        streams.add("b")
        seen = Counter((result.source, result.run) for result in streams)
        states = [status.state for status in streams.sources]
    assert states == ["ended", "ended"]
    assert (seen[1, 1], seen[2, 0]) == (7, 40)


def test_a_source_that_the_classifier_fails_on_leaves_the_others_alone() -> None:
    def answer(_: int, inputs: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
        if inputs["face"].max() > 100:
            raise ValueError("too bright")
        return fake_expression().infer(inputs)

    readers: dict[str, list[Reader]] = {
        "dark": [Numbered("dark", 50)],
        "bright": [Numbered("bright", 50, level=256)],
    }
    with streams_of(readers) as streams:
        streams._classifier = ExpressionClassifier(FakeBackend(answer, expression_facts()))
        for name in readers:
            streams.add(name)
        counts = Counter(result.source for result in streams)
        dark, bright = streams.sources
    assert counts == {1: 50}
    assert (dark.state, bright.state) == ("ended", "failed")
    assert bright.message == "its frames cannot be processed (too bright)"


def test_a_source_that_loses_its_connection_in_a_pause_stays_paused(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("fer_edge.engine.sources.capture.FIRST_RETRY_S", 0.01)
    lost = threading.Event()

    class Losing(Numbered):
        def read(self) -> Frame | None:
            if lost.is_set():
                raise SourceFailed("7: lost")
            return super().read()

    again = Numbered("7", 4, live=True)
    readers: dict[str, list[Reader]] = {"camera:7": [Losing("7", 10**6, live=True), again]}
    reopened = threading.Event()
    opening = again.read

    def read() -> Frame | None:
        reopened.set()
        return opening()

    again.read = read  # type: ignore[method-assign]
    with streams_of(readers, "realtime") as streams:
        source = streams.add("camera:7")
        next(iter(streams))
        streams.pause(source)
        lost.set()
        assert reopened.wait(timeout=60)
        assert streams.sources[0].state in ("paused", "ended")
        assert streams.sources[0].processed == 1


def test_equal_settings_change_nothing() -> None:
    readers: dict[str, list[Reader]] = {"a": [Numbered("a", 40)]}
    with streams_of(readers) as streams:
        streams.add("a")
        detected = []
        for result in streams:
            detected.append(result.detect_s is not None)
            streams.configure(replace(streams.config))
    assert detected == [index % 5 == 0 for index in range(40)]
