from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fer_edge.engine.errors import BadInput
from fer_edge.engine.monitor.rules import GRACE_S, Condition, Firing, Rule, RuleEngine
from fer_edge.engine.monitor.seconds import FaceSecond, SourceSecond

LEVEL = {"sad": "low", "happy": "high"}


def second(time: int, faces: dict[int, str], source: int = 1, run: int = 0) -> SourceSecond:
    return SourceSecond(
        time, source, run, 30,
        tuple(FaceSecond(i, 30, {e: 0.8, "other": 0.2}, e, LEVEL[e]) for i, e in faces.items()),  # type: ignore[arg-type]
    )  # fmt: skip


def unsure(time: int) -> SourceSecond:
    face = FaceSecond(1, 30, {"sad": 0.5, "other": 0.5}, None, None, "confidence")
    return SourceSecond(time, 1, 0, 30, (face,))


def fired(rule: Rule, seconds: list[SourceSecond]) -> list[Firing]:
    engine = RuleEngine([rule])
    return [firing for one in seconds for firing in engine.step(one)]


NEGATIVE = Rule("negative", Condition(levels=frozenset({"low"})), for_s=10, at_most_every_s=60)
AWAY = Rule("away", Condition(no_face=True), for_s=30, at_most_every_s=0)


def test_negative_for_ten_seconds_fires_at_the_tenth() -> None:
    (firing,) = fired(NEGATIVE, [second(t, {4: "sad"}) for t in range(100, 130)])
    assert (firing.time, firing.face, firing.held_s) == (109, 4, 10)


def test_an_interruption_begins_the_count_anew_but_one_second_is_forgiven() -> None:
    def seconds(gap: int) -> list[SourceSecond]:
        moods = ["sad"] * 6 + ["happy"] * gap + ["sad"] * 6
        return [second(t, {1: mood}) for t, mood in enumerate(moods)]

    assert len(fired(NEGATIVE, seconds(GRACE_S))) == 1
    assert not fired(NEGATIVE, seconds(GRACE_S + 1))


def test_no_face_for_thirty_seconds() -> None:
    seconds = [second(t, {} if t >= 5 else {1: "happy"}) for t in range(40)]
    assert [(f.time, f.face) for f in fired(AWAY, seconds)] == [(t, None) for t in range(34, 40)]


def test_another_run_of_a_source_has_other_faces() -> None:
    seconds = [second(t, {1: "sad"}, run=int(t >= 6)) for t in range(12)]
    assert not fired(NEGATIVE, seconds)


def test_sources_and_faces_are_counted_apart() -> None:
    mixed = [second(t, {1 + t % 2: "sad"}, source=1 + t % 2) for t in range(40)]
    assert all(f.held_s >= 10 for f in fired(NEGATIVE, mixed))


@given(st.lists(st.sampled_from(["sad", "happy", "unsure"]), max_size=80), st.integers(1, 12))
def test_unsure_seconds_do_not_count(moods: list[str], for_s: int) -> None:
    rule = Rule("r", Condition(levels=frozenset({"low"})), for_s, 0)
    seconds = [second(t, {1: m}) if m != "unsure" else unsure(t) for t, m in enumerate(moods)]
    for firing in fired(rule, seconds):
        seen = [mood for mood in moods[: firing.time + 1] if mood != "unsure"]
        assert len(seen) >= firing.held_s >= for_s
    steady = [second(t, {1: "sad"}) if t % 2 else unsure(t) for t in range(2 * for_s + 1)]
    assert [f.time for f in fired(rule, steady)] == [2 * for_s - 1]


MOODS = st.lists(st.sampled_from(["sad", "happy", None]), min_size=1, max_size=200)


@given(moods=MOODS, for_s=st.integers(1, 30), rest=st.integers(0, 40))
def test_a_rule_fires_only_after_its_time_and_rests_in_between(
    moods: list[str | None], for_s: int, rest: int
) -> None:
    rule = Rule("r", Condition(levels=frozenset({"low"})), for_s, rest)
    firings = fired(rule, [second(t, {1: m} if m else {}) for t, m in enumerate(moods)])
    for firing in firings:
        assert moods[firing.time] == "sad"
        window = moods[firing.time - firing.held_s + 1 : firing.time + 1]
        assert len(window) == firing.held_s >= for_s
        # Never more than a forgiven second in a row without it.
        longest = max(
            len(run) for run in "".join("x" if m == "sad" else "." for m in window).split("x")
        )
        assert longest <= GRACE_S
    assert all(b.time - a.time >= rest for a, b in pairwise(firings))


@given(moods=MOODS, for_s=st.integers(1, 10))
def test_a_condition_that_holds_long_enough_fires(moods: list[str | None], for_s: int) -> None:
    rule = Rule("r", Condition(levels=frozenset({"low"})), for_s, 0)
    firings = fired(rule, [second(t, {1: m} if m else {}) for t, m in enumerate(moods)])
    steady = {
        t for t in range(for_s - 1, len(moods)) if set(moods[t - for_s + 1 : t + 1]) == {"sad"}
    }
    assert steady <= {firing.time for firing in firings}


@pytest.mark.parametrize(
    "condition",
    [
        {},
        {"no_face": True, "levels": frozenset({"low"})},
        {"levels": frozenset({"low"}), "min_probability": 2.0},
    ],
)
def test_conditions_check_themselves(condition: dict[str, object]) -> None:
    with pytest.raises(BadInput):
        Condition(**condition)  # type: ignore[arg-type]
