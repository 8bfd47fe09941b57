"""Contests between scripted models on a scripted clock."""

from __future__ import annotations

import subprocess
import sys
import threading
from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fer_edge.engine.backends import Backend, FakeBackend, Plan
from fer_edge.engine.backends.plan import NO_TIME
from fer_edge.engine.errors import BadInput
from fer_edge.engine.model import DetectorFacts, ExpressionFacts
from fer_edge.engine.plans import measure
from fer_edge.engine.plans.measure import MARGIN, Contest
from fer_edge.engine.plans.probe import probe_for
from fer_edge.engine.tolerances import TOLERANCES
from fer_edge.engine.types import Floats

from ...conftest import REPOSITORY
from ..scripted import detector_facts, expression_facts, fake_expression

PROBE = probe_for(expression_facts())


class World:
    """Opens plans whose networks take the seconds that their number of threads says.

    Attributes:
        now_s: the time.
        opened: every model that was opened, by its plan.
    """

    def __init__(self, seconds: Sequence[float], opening_s: float = 0.0) -> None:
        self.now_s = 0.0
        self.opened: dict[Plan, FakeBackend] = {}
        self._seconds = seconds
        self._opening_s = opening_s
        self.answers: dict[Plan, float] = {}

    def plans(self) -> list[Plan]:
        return [Plan("fake", "CPU", "fp32", n) for n in range(1, len(self._seconds) + 1)]

    def open(self, plan: Plan) -> Backend:
        self.now_s += self._opening_s
        seconds = self._seconds[plan.threads - 1]

        def answer(call: int, inputs: Mapping[str, Floats]) -> dict[str, Floats]:
            self.now_s += seconds
            rows = np.full((len(inputs["face"]), 7), 0.1, np.float32)
            rows[:, 3] = self.answers.get(plan, 0.4)
            return {"probabilities": rows}

        model = FakeBackend(answer, expression_facts())
        model.plan = plan
        self.opened[plan] = model
        return model

    def contest(self, limit_s: float) -> Contest:
        return Contest(self.open, PROBE, limit_s, lambda: self.now_s)


@given(st.lists(st.floats(0.001, 0.01), min_size=1, max_size=5))
def test_the_quickest_stays_open_and_the_others_are_closed(seconds: list[float]) -> None:
    world = World(seconds)
    contest = world.contest(limit_s=100)
    first, *others = world.plans()
    contest.begin(first)
    contest.try_all(others)
    winner = contest.winner()
    assert [model for model in world.opened.values() if not model.closed] == [winner]
    assert [trial.plan for trial in contest.trials] == world.plans()
    took = seconds[winner.plan.threads - 1]
    # No other one is quicker by more than the margins that were asked for on the way.
    assert took <= min(seconds) / (1 - MARGIN) * (1 + 1e-6)
    for trial, truly in zip(contest.trials, seconds, strict=True):
        assert trial.seconds == pytest.approx(truly)


def test_a_challenger_must_win_by_a_margin() -> None:
    for quicker, wins in ((0.97, False), (0.9, True)):
        world = World([0.010, 0.010 * quicker])
        contest = world.contest(limit_s=100)
        contest.begin(world.plans()[0])
        contest.try_all(world.plans()[1:])
        assert (contest.winner().plan.threads == 2) == wins


@given(st.lists(st.floats(0.001, 0.5), min_size=2, max_size=6), st.floats(0.01, 3), st.floats(0, 1))
def test_when_time_is_up_nothing_more_is_begun(
    seconds: list[float], limit_s: float, opening_s: float
) -> None:
    world = World(seconds, opening_s)
    contest = world.contest(limit_s)
    first, *others = world.plans()
    contest.begin(first)
    began_s = opening_s + seconds[0]
    contest.try_all(others)
    # What was begun in time ends: one opening and its answers, and one run of each of two.
    assert world.now_s - began_s <= limit_s + opening_s + 3 * max(seconds) + 1e-6
    assert len(contest.trials) == len(seconds)
    for trial in contest.trials[1:]:
        assert (trial.plan in world.opened) != (trial.problem == NO_TIME)


def test_other_answers_put_a_plan_out_however_quick_it_is() -> None:
    world = World([0.01, 0.001, 0.001, 0.005])
    first, wrong, unknown, right = world.plans()
    world.answers = {wrong: 0.43, unknown: float("nan")}
    contest = world.contest(limit_s=100)
    contest.begin(first)
    contest.try_all([wrong, unknown, right])
    assert contest.winner().plan == right
    assert contest.trials[1].problem == "probabilities differ by 0.03"
    assert contest.trials[2].problem == "probabilities differ by nan"
    assert world.opened[wrong].closed
    assert world.opened[unknown].closed


def test_answers_are_held_to_the_tolerance_of_the_precision() -> None:
    world = World([0.01, 0.001, 0.001])
    first, bf16, int8 = world.plans()
    bf16, int8 = replace(bf16, precision="bf16"), replace(int8, precision="int8")
    world.answers = {bf16: 0.4 + 0.9 * TOLERANCES["fp16"].probability, int8: 0.5}
    contest = world.contest(limit_s=100)
    contest.begin(first)
    contest.try_all([bf16, int8])
    assert [trial.problem for trial in contest.trials] == ["", "", ""]


def test_a_plan_that_does_not_work_is_left_out_with_its_reason() -> None:
    world = World([0.01, 0.001, 0.001, 0.02])
    first, refused, crashing, slow = world.plans()

    def opening(plan: Plan) -> Backend:
        if plan == refused:
            raise BadInput("m.onnx: cannot be loaded")
        if plan == crashing:
            raise RuntimeError("[GPU] clFlush\nout of memory")
        return world.open(plan)

    contest = Contest(opening, PROBE, 100, lambda: world.now_s)
    contest.begin(first)
    contest.try_all([refused, crashing, slow])
    assert contest.winner().plan == first
    problems = [trial.problem for trial in contest.trials]
    assert problems == ["", "does not open: m.onnx: cannot be loaded", "fails: out of memory", ""]


def test_what_opens_too_slowly_is_left_to_itself_and_closed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    world = World([0.01, 0.001])
    first, slow = world.plans()
    slow = replace(slow, device="GPU")
    may_go_on = threading.Event()
    closed = threading.Event()

    def opening(plan: Plan) -> Backend:
        model = world.open(plan)
        if plan == slow:
            may_go_on.wait()
            monkeypatch.setattr(model, "close", closed.set)
        return model

    # The thread is waited for on the true clock, which the scripted one knows nothing of.
    contest = Contest(opening, PROBE, 0.05, lambda: world.now_s)
    contest.begin(first)
    contest.try_all([slow])
    assert contest.winner().plan == first
    assert contest.trials[1].problem == "not open in time"
    may_go_on.set()
    assert closed.wait(timeout=60)


def test_a_plan_on_the_cpu_is_not_waited_for_where_the_plain_one_took_too_long() -> None:
    world = World([0.01, 0.001], opening_s=1.0)
    first, slow = world.plans()
    may_go_on = threading.Event()

    def opening(plan: Plan) -> Backend:
        if plan.backend == "other":
            may_go_on.wait()
        return world.open(plan)

    contest = Contest(opening, PROBE, 0.05, lambda: world.now_s)
    contest.begin(first)
    contest.try_all([replace(slow, backend="other")])
    may_go_on.set()
    assert contest.trials[1].problem == "not open in time"


STUCK = """
import threading
from fer_edge.engine.backends import Plan
from fer_edge.engine.plans import measure
from tests.engine.plans.test_measure import PROBE, World

measure._LEAVE_WITHIN_S = 0.01
world = World([0.01, 0.001])
first, stuck = world.plans()

def opening(plan):
    if plan.device == "GPU":
        threading.Event().wait()
    return world.open(plan)

contest = measure.Contest(opening, PROBE, 0.1, lambda: world.now_s)
contest.begin(first)
contest.try_all([Plan("fake", "GPU", "fp32", 2)])
print(contest.trials[1].problem)
"""


def test_a_plan_that_never_opens_does_not_keep_the_program_from_ending() -> None:
    done = subprocess.run(
        [sys.executable, "-c", STUCK],
        cwd=REPOSITORY, capture_output=True, text=True, check=True, timeout=120,
    )  # fmt: skip
    assert done.stdout == "not open in time\n"


def test_the_memory_of_each_plan_that_is_out_is_given_back(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    world = World([0.01, 0.001, 0.02, 0.001])
    first, quick, slow, wrong = world.plans()
    world.answers = {wrong: 0.8}
    open_then: list[int] = []
    monkeypatch.setattr(
        measure,
        "give_back",
        lambda: open_then.append(sum(not model.closed for model in world.opened.values())),
    )
    contest = world.contest(limit_s=100)
    contest.begin(first)
    contest.try_all([quick, slow, wrong])
    assert open_then == [1, 1, 1]


def test_a_reference_gives_the_answers_where_the_first_plan_is_not_plain() -> None:
    world = World([0.01, 0.001])
    contest = world.contest(limit_s=100)
    contest.begin(world.plans()[0], reference=fake_expression(favourite=2))
    contest.try_all(world.plans()[1:])
    assert contest.trials[1].problem == "probabilities differ by 0.30"


def faces(scores: Sequence[float], boxes: Sequence[Sequence[float]]) -> list[dict[str, np.ndarray]]:
    found = {
        "boxes": np.array([boxes], np.float32),
        "scores": np.array([scores], np.float32)[..., None],
    }
    return [found, found]


HERE, THERE, AWAY = (0.1, 0.1, 0.5, 0.5), (0.6, 0.6, 0.9, 0.9), (0.2, 0.2, 0.6, 0.6)


@pytest.mark.parametrize(
    ("scores", "boxes", "problem"),
    [
        ((0.9, 0.1), (HERE, THERE), ""),
        ((0.88, 0.12), (HERE, AWAY), ""),
        # In another order, as top-k may give them.
        ((0.1, 0.9), (THERE, HERE), ""),
        ((0.85, 0.1), (HERE, THERE), "scores differ by 0.05"),
        ((0.9, 0.1), (AWAY, THERE), "misses 1 of 1 boxes"),
        ((0.9, float("nan")), (HERE, THERE), "scores differ by nan"),
        ((0.9,), (HERE,), "gives other shapes"),
    ],
)
def test_detectors_are_compared_by_what_they_find(
    scores: Sequence[float], boxes: Sequence[Sequence[float]], problem: str
) -> None:
    probe = probe_for(detector_facts(detector=DetectorFacts("boxes", "scores", 0, 0.0, 0.6, 9)))
    plain = faces((0.9, 0.1), (HERE, THERE))
    said = probe.difference(plain, faces(scores, boxes), TOLERANCES["fp16"])
    assert said == problem


def test_expression_models_are_asked_about_several_faces() -> None:
    facts = expression_facts(expression=ExpressionFacts("probabilities", 1.2))
    with fake_expression() as model:
        (found,) = probe_for(facts).answers(model)
        assert found["probabilities"].shape == (4, 7)
        assert probe_for(facts).work(model)["probabilities"].shape == (1, 7)
