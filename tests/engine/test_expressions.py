from __future__ import annotations

from collections import defaultdict
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fer_edge.engine.errors import BadInput
from fer_edge.engine.expressions import Expressions, boxes_of, landmarks_of
from fer_edge.engine.smoothing import ExpressionSmoother
from fer_edge.engine.types import Face, Track

LABELS = ("happy", "sad")


def tracks_of(ids: list[int]) -> list[Track]:
    return [Track(id_, (id_, 0.0, 10.0, 10.0), 0.9, "tracked") for id_ in ids]


def step(expressions: Expressions, ids: list[int], happy: float, time_s: float) -> list[Face]:
    tracks = tracks_of(ids)
    due = expressions.due(tracks)
    rows = np.array([[happy, 1 - happy]] * len(due), np.float32).reshape(-1, 2)
    return list(expressions.faces(tracks, due, rows, time_s))


@given(
    st.integers(1, 7),
    st.lists(st.lists(st.integers(1, 9), unique=True, max_size=6), min_size=1, max_size=40),
)
def test_new_faces_at_once_and_every_face_in_its_turn(every: int, views: list[list[int]]) -> None:
    expressions = Expressions(LABELS, None, every)
    before: list[int] = []
    waited: dict[int, int] = defaultdict(int)
    for ids in views:
        tracks = tracks_of(ids)
        due = [track.id for track in expressions.due(tracks)]
        for id_ in ids:
            waited[id_] = 0 if id_ in due else waited[id_] + 1
            assert id_ in due or id_ in before
            assert waited[id_] < every
        rows = np.tile(np.float32([[1, 0]]), (len(due), 1))
        chosen = [track for track in tracks if track.id in due]
        faces = expressions.faces(tracks, chosen, rows, 0.0)
        assert [face.track for face in faces] == tracks
        assert all(face.expression == "happy" for face in faces)
        before = ids


def test_the_turns_of_faces_in_a_row_are_spread() -> None:
    expressions = Expressions(LABELS, None, 4)
    ids = list(range(1, 9))
    step(expressions, ids, 1.0, 0.0)
    assert [len(expressions.due(tracks_of(ids))) for _ in range(8)] == [2] * 8


def test_the_last_answer_stands_in_between_and_smoothing_sees_what_was_classified() -> None:
    expressions = Expressions(LABELS, ExpressionSmoother(1.0), 3)
    plain = ExpressionSmoother(1.0)
    shown = [step(expressions, [1], happy, 0.1 * frame)[0] for frame, happy in enumerate(
        [1.0, 0.9, 0.2, 0.1, 0.3, 0.4, 0.5]
    )]  # fmt: skip
    # Id 1 is new in the first frame, and its turns are the second and every third after it.
    for seen, happy, frames in ((0, 1.0, [0]), (1, 0.9, [1, 2, 3]), (4, 0.3, [4, 5, 6])):
        row = np.array([[happy, 1 - happy]], np.float32)
        (smooth,) = plain([1], row, 0.1 * seen)
        for frame in frames:
            assert shown[frame].raw == pytest.approx({"happy": happy, "sad": 1 - happy})
            assert list(shown[frame].probabilities.values()) == pytest.approx(smooth.tolist())


def test_a_face_that_comes_back_is_classified_at_once_and_nothing_piles_up() -> None:
    expressions = Expressions(LABELS, None, 100)
    step(expressions, [5], 1.0, 0.0)
    assert step(expressions, [5], 0.0, 0.1)[0].expression == "happy"
    assert step(expressions, [], 0.0, 0.2) == []
    assert step(expressions, [5], 0.0, 0.3)[0].expression == "sad"
    for id_ in range(6, 50):
        step(expressions, [id_], 1.0, 0.4)
    assert len(expressions._answers) == 1


def test_less_than_every_frame_is_refused() -> None:
    with pytest.raises(BadInput, match="every 0 frames: give 1 or more"):
        Expressions(LABELS, None, 0)


def test_boxes_are_rows() -> None:
    assert boxes_of([]).shape == (0, 4)
    assert landmarks_of(tracks_of([3])) is None
    known = replace(tracks_of([3])[0], landmarks=tuple((float(i), 2.0) for i in range(5)))
    points = landmarks_of([*tracks_of([3]), known])
    assert points is not None
    assert np.isnan(points[0]).all()
    np.testing.assert_array_equal(points[1], known.landmarks)
    np.testing.assert_array_equal(boxes_of(tracks_of([3])), [[3, 0, 10, 10]])
