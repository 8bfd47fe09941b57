"""The race on a scripted program: what is counted, in which order, and how it is summed up."""

from __future__ import annotations

from time import perf_counter

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fer_edge.benchmarks.breakdown import break_down, stage_times
from fer_edge.benchmarks.laps import Plan, Runner, histogram_of, race, times_of
from fer_edge.engine.tracing import Span, span


class Scripted(Runner):
    """Spins for a known time a frame; every `cycle`-th frame detects."""

    def __init__(self, name: str, frame_s: float, cycle: int = 4, log: list[str] | None = None):
        self.name, self.about, self.cycle = name, "scripted", cycle
        self._frame_s, self._count, self._log = frame_s, 0, log
        self.closed = False

    def step(self) -> tuple[float, int, bool]:
        with span("frame"), span("work"):
            started = perf_counter()
            while perf_counter() - started < self._frame_s:
                pass
        if self._log is not None and (not self._log or self._log[-1] != self.name):
            self._log.append(self.name)
        self._count += 1
        return perf_counter() - started, 2, self._count % self.cycle == 1

    def close(self) -> None:
        self.closed = True


PLAN = Plan(repetitions=5, frames=6, warm_s=0.0)


def test_programs_take_turns_and_every_lap_holds_whole_cycles() -> None:
    log: list[str] = []
    first, second = Scripted("a", 1e-4, 4, log), Scripted("b", 1e-4, 3, log)
    contestants, ratios = race([first, second], PLAN)
    assert log == ["a", "b"] * 6  # the warm-up, and five laps
    assert [[lap.frames for lap in one.laps] for one in contestants] == [[8] * 5, [6] * 5]
    assert [one.detecting.samples for one in contestants if one.detecting] == [10, 10]
    assert [ratio.over for ratio in ratios] == ["b"]


def test_figures_follow_from_the_laps() -> None:
    (one,), _ = race([Scripted("a", 2e-3)], PLAN)
    assert one.fps.value == pytest.approx(40 / sum(lap.elapsed_s for lap in one.laps))
    assert one.fps.value <= 500
    assert one.fps_in_hand is not None
    assert one.fps_in_hand.value >= one.fps.value
    assert one.times.samples == 40
    assert one.times.worst_s >= one.times.mean_s >= 2e-3
    assert sum(one.histogram.counts) == 40
    assert (one.faces.mean, one.faces.least, one.faces.most) == (2.0, 2, 2)


def test_seconds_decide_the_frames_of_a_lap_where_none_are_given() -> None:
    runner = Scripted("a", 1e-3, cycle=10)
    assert Plan(seconds=0.5).lap_frames(runner, 0.004) == 130
    assert Plan(frames=1).lap_frames(runner, 0.004) == 10


@given(st.lists(st.floats(1e-6, 10), min_size=1, max_size=200))
def test_a_histogram_loses_no_sample(samples: list[float]) -> None:
    histogram = histogram_of(np.array(samples))
    assert sum(histogram.counts) == len(samples)
    assert len(histogram.edges_s) == len(histogram.counts) + 1
    times = times_of(np.array(samples))
    assert times is not None
    assert times.worst_s == max(samples)


def test_no_frames_have_no_times() -> None:
    assert times_of(np.empty(0)) is None


def test_the_breakdown_adds_up_to_the_elapsed_time() -> None:
    runner = Scripted("a", 2e-3)
    parts = break_down(runner, 20, 2e-3)
    (work,) = parts.stages
    assert (work.name, work.calls) == ("work", 20)
    assert work.per_call_s >= 2e-3
    assert work.share + parts.overhead_share == pytest.approx(1)


def test_inner_stages_are_taken_off_outer_ones_in_each_thread() -> None:
    spans = [
        Span("outer", "main", 0, 10),
        Span("inner", "main", 1, 3),
        Span("inner", "main", 4, 5),
        Span("deep", "main", 1.5, 2.5),
        Span("inner", "other", 2, 9),
    ]
    found = {(s.name, s.thread): s for s in stage_times(spans, frames=2, elapsed_s=20)}
    assert found["outer", "main"].per_frame_s == pytest.approx((10 - 3) / 2)
    assert found["inner", "main"].per_call_s == pytest.approx((3 - 1) / 2)
    assert found["deep", "main"].share == pytest.approx(1 / 20)
    assert found["inner", "other"].per_frame_s == pytest.approx(7 / 2)
