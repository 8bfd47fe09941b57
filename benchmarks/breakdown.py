"""From the spans of a traced run to the time of every stage."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path

from fer_edge.engine.tracing import Span, record, write_trace

from .laps import Runner
from .records import Breakdown, StageTime

# Spans that hold a whole frame: what no stage in them accounts for is overhead.
WHOLE = frozenset({"frame"})


def break_down(runner: Runner, frames: int, frame_s: float, trace: Path | None = None) -> Breakdown:
    """Run `frames` frames traced.

    Args:
        runner: warmed up.
        frames: to run.
        frame_s: mean frame time without a trace.
        trace: where to keep the spans for Perfetto, too.
    """
    with record() as recording:
        timed = runner.advance(frames)
    if trace is not None:
        write_trace(recording, trace)
    stages = stage_times(recording.spans, timed.lap.frames, timed.lap.elapsed_s)
    own = [stage for stage in stages if stage.thread == "MainThread" and stage.name not in WHOLE]
    inside = sum(stage.share for stage in own)
    return Breakdown(
        frames=timed.lap.frames,
        elapsed_s=timed.lap.elapsed_s,
        stages=[stage for stage in stages if stage.name not in WHOLE],
        overhead_share=max(0.0, 1 - inside),
        slowdown=float(timed.frame_s.mean()) / frame_s,
    )


def stage_times(spans: Sequence[Span], frames: int, elapsed_s: float) -> list[StageTime]:
    """The time of every stage without the stages inside it, the longest first."""
    own: dict[tuple[str, str], float] = defaultdict(float)
    calls: dict[tuple[str, str], int] = defaultdict(int)
    for thread in {span.thread for span in spans}:
        mine = sorted(
            (span for span in spans if span.thread == thread),
            key=lambda span: (span.start_s, -span.end_s),
        )
        open_spans: list[Span] = []
        for span in mine:
            while open_spans and span.start_s >= open_spans[-1].end_s:
                open_spans.pop()
            length = span.end_s - span.start_s
            own[span.name, thread] += length
            calls[span.name, thread] += 1
            if open_spans:
                own[open_spans[-1].name, thread] -= length
            open_spans.append(span)
    stages = [
        StageTime(
            name, thread, calls[name, thread], time / frames, time / calls[name, thread],
            time / elapsed_s,
        )
        for (name, thread), time in own.items()
    ]  # fmt: skip
    return sorted(stages, key=lambda stage: -stage.per_frame_s)
