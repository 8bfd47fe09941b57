from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fer_edge.engine.model import FER2013_LABELS
from fer_edge.engine.monitor.rulebook import default_levels
from fer_edge.engine.monitor.rules import Condition, Rule, RuleEngine
from fer_edge.engine.monitor.seconds import Seconds
from fer_edge.engine.types import Face, Track, Unsure


def face(id_: int, values: list[float], unsure: Unsure | None = None) -> Face:
    track = Track(id_, (0.0, 0.0, 9.0, 9.0), 0.9, "detected")
    values_of = dict(zip(FER2013_LABELS, values, strict=True))
    return Face(track, values_of, values_of, unsure)


PROBABILITIES = st.lists(st.floats(0, 1, width=32), min_size=7, max_size=7)
FRAMES = st.lists(
    st.tuples(
        st.floats(100, 110),
        st.integers(1, 3),
        st.dictionaries(st.integers(1, 4), PROBABILITIES, max_size=3),
    ),
    max_size=60,
)


@given(FRAMES)
def test_seconds_are_means_of_their_frames(
    frames: list[tuple[float, int, dict[int, list[float]]]],
) -> None:
    seconds = Seconds(default_levels())
    for time_s, source, faces in frames:
        seconds.add(time_s, source, 0, [face(i, p) for i, p in faces.items()])
    given_back = seconds.drain(111)
    assert sum(second.frames for second in given_back) == len(frames)
    assert not seconds.drain(111)
    for second in given_back:
        own = [f for t, s, f in frames if int(t) == second.time and s == second.source]
        assert second.frames == len(own)
        assert {f.face for f in second.faces} == {i for faces in own for i in faces}
        for seen in second.faces:
            rows = [faces[seen.face] for faces in own if seen.face in faces]
            assert seen.frames == len(rows)
            np.testing.assert_allclose(
                list(seen.probabilities.values()), np.mean(rows, axis=0), atol=1e-6
            )
            assert seen.expression is not None
            assert seen.probabilities[seen.expression] == max(seen.probabilities.values())
            assert seen.level == default_levels()(seen.expression)


def test_only_whole_seconds_are_given_back_oldest_first() -> None:
    seconds = Seconds(default_levels())
    for time_s in (7.2, 5.5, 6.9, 5.9):
        seconds.add(time_s, 1, 0, [])
    assert [(s.time, s.frames) for s in seconds.drain(7)] == [(5, 2), (6, 1)]
    assert [(s.time, s.faces) for s in seconds.drain(8)] == [(7, ())]


def test_without_expressions_faces_are_still_counted() -> None:
    seconds = Seconds(default_levels())
    seconds.add(1.0, 1, 0, [Face(Track(3, (0.0, 0.0, 1.0, 1.0), 1.0, "tracked"), {})])
    (second,) = seconds.drain(2)
    (seen,) = second.faces
    assert (seen.face, seen.expression, seen.level, seen.probabilities) == (3, None, None, {})


@given(st.lists(st.sampled_from([None, "confidence", "pose"]), min_size=1, max_size=12))
def test_a_second_that_is_mostly_unsure_has_no_expression_and_no_level(
    doubts: list[Unsure | None],
) -> None:
    seconds = Seconds(default_levels())
    for unsure in doubts:
        seconds.add(1.5, 1, 0, [face(1, [0, 0, 0, 0.8, 0.2, 0, 0], unsure)])
    (second,) = seconds.drain(2)
    (seen,) = second.faces
    assert seen.probabilities["happy"] == pytest.approx(0.8)
    known = [doubt for doubt in doubts if doubt is not None]
    if len(known) > len(doubts) / 2:
        assert (seen.expression, seen.level) == (None, None)
        assert doubts.count(seen.unsure) == max(map(known.count, known))
    else:
        assert (seen.expression, seen.level, seen.unsure) == ("happy", "high", None)
    rules = RuleEngine([Rule("glad", Condition(levels=frozenset({"high"})), for_s=1)])
    assert bool(rules.step(second)) == (seen.unsure is None)


def test_frames_that_were_unsure_decide_nothing_in_a_second_that_is_not() -> None:
    glad, turned = [0, 0, 0, 0.6, 0.4, 0, 0], [0, 0, 0, 0.05, 0.95, 0, 0]
    seconds = Seconds(default_levels())
    for unsure in ("pose", None, "pose", None):
        seconds.add(1.5, 1, 0, [face(1, turned if unsure else glad, unsure)])
    ((seen,),) = [second.faces for second in seconds.drain(2)]
    assert (seen.expression, seen.level, seen.frames) == ("happy", "high", 4)
    assert seen.probabilities["happy"] == pytest.approx(0.6)
