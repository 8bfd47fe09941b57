"""Tries plans against each other, for as long as there is time."""

from __future__ import annotations

import atexit
import threading
from collections.abc import Callable, Iterable
from time import perf_counter

from ..backends import Backend
from ..backends.plan import NO_TIME, Plan, Trial
from ..errors import FerError
from ..tolerances import TOLERANCES
from .memory import give_back
from .probe import Answers, Probe

# A plan has to be quicker by this part of the time to take the place of another one.
MARGIN = 0.05
# Runs in a row: call by call, the second of two equal models looks slower.
_RUNS, _TURNS = 5, 2
# Of the time for all, what runs in a row may take: large networks have fewer of them.
_SHARE = 0.15
# What is slower by this factor after its first runs has no second turn.
_HOPELESS = 1.25
# What the end of a program waits for a plan that is still being opened.
_LEAVE_WITHIN_S = 3.0


class Contest:
    """Tries one plan after another and keeps the quickest open.

    Every plan has to give the answers of the plain one within the tolerance of its precision.
    The time of a plan is the least of several runs, which noise does least to; two plans take
    turns.

    Args:
        open_plan: opens a plan.
        probe: what the plans are tried with.
        limit_s: seconds from when the first plan has answered until no other is begun, timed or
            waited for.
        clock: seconds.

    Attributes:
        trials: in the order of trying.
    """

    def __init__(
        self,
        open_plan: Callable[[Plan], Backend],
        probe: Probe,
        limit_s: float,
        clock: Callable[[], float] = perf_counter,
    ) -> None:
        self._open = open_plan
        self._probe = probe
        self._limit_s = limit_s
        self._clock = clock
        self._ends_s = 0.0
        self._plain: Answers = []
        self._best: Backend | None = None
        self._best_s = 0.0
        self._opening_s: dict[str, float] = {}
        self._plain_opening_s = 0.0
        self.trials: list[Trial] = []

    def begin(self, plan: Plan, reference: Backend | None = None) -> None:
        """Open the plan that others are held to; takes what time it takes.

        Args:
            plan: the plain one.
            reference: another one, open, whose answers count in place of this plan's.

        Raises:
            FerError: it cannot be opened.
        """
        started_s = self._clock()
        self._best = self._open(plan)
        self._plain = self._probe.answers(reference or self._best)
        self._plain_opening_s = self._opening_s[plan.backend] = self._clock() - started_s
        self._ends_s = self._clock() + self._limit_s
        self._best_s = self._least_time(self._best)
        self.trials.append(Trial(self._best.plan, self._best_s))

    def try_all(self, plans: Iterable[Plan]) -> None:
        """Try plans in order; those that there is no time for are named with the others."""
        for plan in plans:
            self.trials.append(self._tried(plan))

    def winner(self) -> Backend:
        """The quickest, open; the caller closes it."""
        assert self._best is not None, "begin() comes first"
        return self._best

    def _tried(self, plan: Plan) -> Trial:
        expected_s = self._opening_s.get(plan.backend, 0.0)
        if self._left_s() <= expected_s:
            return Trial(plan, problem=NO_TIME)
        started_s = self._clock()
        done = self._opened(plan)
        if done is None:
            return Trial(plan, problem="not open in time")
        self._opening_s[plan.backend] = self._clock() - started_s
        if isinstance(done, str):
            return Trial(plan, problem=done)
        backend, answers = done
        tolerance = TOLERANCES[_tolerance_of(backend.plan.precision)]
        problem = self._probe.difference(self._plain, answers, tolerance)
        if problem:
            _released(backend)
            return Trial(backend.plan, problem=problem)
        return self._raced(backend)

    def _opened(self, plan: Plan) -> _Opened | None:
        """A plan's model and answers, or what went wrong, or None where it takes too long."""
        if plan.device == "CPU" and self._plain_opening_s < self._left_s():
            # It will be open soon, and glibc takes back in full only what the main thread had.
            return _try_to_open(self._open, plan, self._probe)
        return _Opening(self._open, plan, self._probe).wait(self._left_s())

    def _raced(self, other: Backend) -> Trial:
        """Let another plan and the best one take turns."""
        assert self._best is not None
        best_s, other_s = self._best_s, float("inf")
        for turn in range(_TURNS):
            other_s = min(other_s, self._least_time(other))
            if other_s > _HOPELESS * best_s:
                break
            if turn + 1 < _TURNS:
                best_s = min(best_s, self._least_time(self._best))
        self._best_s = best_s
        trial = Trial(other.plan, other_s)
        if other_s < (1 - MARGIN) * best_s:
            self._best, other, self._best_s = other, self._best, other_s
        _released(other)
        return trial

    def _least_time(self, backend: Backend) -> float:
        """Of a few runs, of one at least."""
        least_s = float("inf")
        until_s = min(self._ends_s, self._clock() + _SHARE * self._limit_s)
        for _ in range(_RUNS):
            started_s = self._clock()
            self._probe.work(backend)
            now_s = self._clock()
            least_s = min(least_s, now_s - started_s)
            if now_s >= until_s:
                break
        return least_s

    def _left_s(self) -> float:
        return self._ends_s - self._clock()


# A model and its answers, or what went wrong.
_Opened = tuple[Backend, Answers] | str


def _try_to_open(open_plan: Callable[[Plan], Backend], plan: Plan, probe: Probe) -> _Opened:
    try:
        backend = open_plan(plan)
        try:
            # Where a model is compiled when it is used first, that is here.
            return backend, probe.answers(backend)
        except BaseException:
            _released(backend)
            raise
    except FerError as error:
        return f"does not open: {error}"
    # A library that fails on a device must not end a run that can do without.
    except Exception as error:
        return f"fails: {(str(error).strip().splitlines() or [type(error).__name__])[-1]}"


def _released(backend: Backend) -> None:
    """Close a model, so that the next one has its memory."""
    backend.close()
    give_back()


class _Opening:
    """Opens a plan in a thread of its own, which can be waited for or left to itself.

    Compiling for a GPU may take many seconds and cannot be broken off. A program that exits
    meanwhile waits for a few seconds and no longer.
    """

    def __init__(self, open_plan: Callable[[Plan], Backend], plan: Plan, probe: Probe) -> None:
        self._open = open_plan
        self._plan = plan
        self._probe = probe
        self._lock = threading.Lock()
        self._given_up = False
        self._done: _Opened | None = None
        self._thread = threading.Thread(
            target=self._work, name=f"try {plan.describe()}", daemon=True
        )
        self._thread.start()

    def wait(self, seconds: float) -> _Opened | None:
        """What came of it; None where it takes longer."""
        self._thread.join(seconds)
        with self._lock:
            self._given_up = self._done is None
        if self._given_up:
            # Python would pull the library away from under a thread that is in it.
            atexit.register(self._thread.join, _LEAVE_WITHIN_S)
        return self._done

    def _work(self) -> None:
        done = _try_to_open(self._open, self._plan, self._probe)
        with self._lock:
            if not self._given_up:
                self._done = done
                return
        if not isinstance(done, str):
            _released(done[0])


def _tolerance_of(precision: str) -> str:
    """bf16 is held to what fp16 is."""
    return "fp16" if precision == "bf16" else precision
