from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fer_edge.engine.certainty import Certainty
from fer_edge.engine.errors import BadInput
from fer_edge.engine.expressions import Expressions
from fer_edge.engine.model import ExpressionFacts
from fer_edge.engine.types import Track

from .test_head_pose import MEAN_HEAD, projected


def face(side: float = 100.0, yaw: float = 0.0, pitch: float = 0.0) -> Track:
    points = tuple(map(tuple, projected(MEAN_HEAD, 0, yaw, pitch).tolist()))
    return Track(1, (0.0, 0.0, 0.8 * side, side), 0.9, "detected", points)


STRICT = Certainty(0.6, 24.0, 60.0, 30.0)


@pytest.mark.parametrize(
    ("track", "confidence", "why"),
    [
        (face(), 0.6, None),
        (face(), 0.59, "confidence"),
        (face(side=24), 0.9, None),
        (face(side=23.9), 0.9, "size"),
        (face(yaw=50), 0.9, None),
        (face(yaw=-70), 0.9, "pose"),
        (face(yaw=70), 0.1, "pose"),
        (face(pitch=45), 0.9, "pose"),
        (Track(1, (0.0, 0.0, 80.0, 100.0), 0.9, "detected"), 0.9, None),
    ],
)
def test_an_expression_is_told_of_large_faces_that_look_this_way(
    track: Track, confidence: float, why: str | None
) -> None:
    assert STRICT.doubt(track, confidence) == why


@given(st.floats(0, 1), st.floats(0, 1), st.floats(0, 1))
def test_a_lower_bound_tells_no_less(one: float, other: float, confidence: float) -> None:
    low, high = sorted((one, other))
    if Certainty(high).doubt(face(), confidence) is None:
        assert Certainty(low).doubt(face(), confidence) is None


def test_without_facts_all_is_told() -> None:
    facts = ExpressionFacts("probabilities", 1.1)
    assert Certainty.of(facts).doubt(face(side=1, yaw=80), 0.01) is None
    assert Certainty.of(facts, 0.5).doubt(face(), 0.4) == "confidence"


@pytest.mark.parametrize(
    "values", [(-0.1,), (1.1,), (0.5, -1.0), (0.5, float("nan")), (0.5, 1.0, 91.0), (0, 0, 9, -1)]
)
def test_values_out_of_range_are_refused(values: tuple[float, ...]) -> None:
    with pytest.raises(BadInput):
        Certainty(*values)


def test_an_unsure_face_keeps_its_probabilities_until_it_is_sure() -> None:
    expressions = Expressions(("happy", "sad"), every=2, certainty=Certainty(0.7))
    told = []
    for value in (0.6, 0.6, 0.9, 0.9, 0.6, 0.6):
        due = expressions.due([face()])
        rows = np.array([[value, 1 - value]] * len(due), np.float32).reshape(-1, 2)
        (one,) = expressions.faces([face()], due, rows, 0.0)
        assert one.probabilities.keys() == {"happy", "sad"}
        told.append((one.expression, one.unsure))
    assert {(None, "confidence"), ("happy", None)} == set(told)
    # What stands in between is as sure as what was answered.
    assert told[0] == (None, "confidence")
