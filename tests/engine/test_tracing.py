"""Spans are kept only while a recording is on, nest, and leave as a file that tools read."""

from __future__ import annotations

import json
import threading
from pathlib import Path

import pytest

from fer_edge.engine import tracing
from fer_edge.engine.cli import main
from fer_edge.engine.errors import OutputNotWritable
from fer_edge.engine.tracing import chrome_trace, record, span, trace_file

from .tiny_models import write_detector, write_expression


def test_without_a_recording_nothing_is_made() -> None:
    assert span("a") is span("b")
    with record() as recording, span("kept"):
        pass
    with span("after the end"):
        pass
    assert [one.name for one in recording.spans] == ["kept"]


def test_inner_spans_lie_within_outer_ones_and_threads_are_apart() -> None:
    def work() -> None:
        with span("outer"), span("inner"):
            pass

    with record() as recording:
        work()
        thread = threading.Thread(target=work, name="helper")
        thread.start()
        thread.join()
    for owner in ("MainThread", "helper"):
        inner, outer = (one for one in recording.spans if one.thread == owner)
        assert (inner.name, outer.name) == ("inner", "outer")
        assert outer.start_s <= inner.start_s <= inner.end_s <= outer.end_s


def test_a_span_that_fails_is_kept_and_the_error_goes_on() -> None:
    with record() as recording, pytest.raises(ZeroDivisionError), span("broken"):
        _ = 1 / 0
    assert [one.name for one in recording.spans] == ["broken"]


def test_a_recording_is_bounded_and_says_what_it_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tracing, "MAX_SPANS", 3)
    with record() as recording:
        for _ in range(5):
            with span("one"):
                pass
    assert (len(recording.spans), recording.left_out) == (3, 2)
    assert json.loads(chrome_trace(recording))["otherData"] == {"spans left out": 2}


def test_one_recording_at_a_time() -> None:
    with record(), pytest.raises(RuntimeError, match="already"), record():
        pass
    with record():
        pass


def test_a_run_writes_every_stage_into_its_trace(tmp_path: Path) -> None:
    detector = write_detector(tmp_path / "detector.onnx")
    expression = write_expression(tmp_path / "expression.onnx")
    trace = tmp_path / "trace.json"
    options = ["--detector", detector, "--expression", expression, "--max-frames", 12]
    outputs = ["--trace", trace, "--save", tmp_path / "out.mp4", "--quiet"]
    assert main([str(word) for word in [*options, *outputs]]) == 0
    events = json.loads(trace.read_text())["traceEvents"]
    spans = [event for event in events if event["ph"] == "X"]
    counts = {name: sum(s["name"] == name for s in spans) for name in {s["name"] for s in spans}}
    once_a_frame = {"frame", "sinks", "draw", "cut"}
    assert {counts[name] for name in once_a_frame} == {12}
    # Following is once a frame, and taking over detections comes on top.
    assert counts["track"] == 12 + counts["detect"]
    assert {"decode", "preprocess", "detect", "NMS", "crop", "classify"} <= set(counts)
    assert min(s["ts"] for s in spans) == 0
    assert all(s["dur"] >= 0 for s in spans)
    threads = {event["tid"]: event["args"]["name"] for event in events if event["ph"] == "M"}
    stages = {"MainThread": "frame", "capture": "decode", "encode": "encode"}
    assert set(threads.values()) == set(stages)
    for thread, stage in stages.items():
        assert {threads[s["tid"]] for s in spans if s["name"] == stage} == {thread}


def test_a_trace_that_cannot_be_written_fails_before_the_run(tmp_path: Path) -> None:
    with (
        pytest.raises(OutputNotWritable, match=r"trace\.json"),
        trace_file(tmp_path / "no/trace.json"),
    ):
        raise AssertionError("must not run")
