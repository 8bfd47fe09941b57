from __future__ import annotations

import pytest

from fer_edge.benchmarks.tracking.metrics import Score, score
from fer_edge.benchmarks.tracking.render import Truth

A, B = (10.0, 10.0, 100.0, 100.0), (300.0, 10.0, 100.0, 100.0)


def truth(**boxes: tuple[float, ...]) -> dict[int, Truth]:
    return {int(name[1:]): Truth(box, 1.0) for name, box in boxes.items()}  # type: ignore[arg-type]


def test_perfect_tracks_have_perfect_figures() -> None:
    result = score((truth(f1=A, f2=B),) * 3, [{5: A, 9: B}] * 3)
    assert (result.mean_iou, result.success, result.missed) == (1, 1, 0)
    assert (result.switches, result.false, result.tracks) == (0, 0, 6)
    assert result.auc == pytest.approx(50 / 51)


def test_a_face_without_a_track_counts_as_no_overlap() -> None:
    result = score((truth(f1=A, f2=B),), [{1: A}])
    assert result.mean_iou == 0.5
    assert result.missed == 0.5


def test_a_track_on_the_background_is_false() -> None:
    result = score((truth(f1=A),) * 2, [{1: A}, {1: A, 2: B}])
    assert result.false == 1
    assert result.false_share == pytest.approx(1 / 3)


def test_ids_that_change_are_counted_also_after_a_gap() -> None:
    frames = (truth(f1=A),) * 4
    assert score(frames, [{1: A}, {1: A}, {2: A}, {2: A}]).switches == 1
    assert score(frames, [{1: A}, {}, {}, {1: A}]).switches == 0
    assert score(frames, [{1: A}, {}, {}, {2: A}]).switches == 1


def test_an_id_that_goes_on_with_another_face_is_counted() -> None:
    frames = (truth(f1=A, f2=B), truth(f1=A, f2=B))
    assert score(frames, [{1: A, 2: B}, {2: A, 1: B}]).switches == 2


def test_hidden_faces_are_neither_missed_nor_false() -> None:
    half = {1: Truth(A, 0.3)}
    for answer in ({}, {1: A}):
        result = score((half,), [answer])
        assert len(result.overlaps) == 0
        assert result.false == 0
    assert score(({1: Truth(A, 0.0)},), [{1: A}]).false == 1


def test_only_what_is_in_the_frame_is_compared() -> None:
    outside = (-50.0, 10.0, 100.0, 100.0)
    result = score((truth(f1=outside),), [{1: (0.0, 10.0, 50.0, 100.0)}])
    assert result.mean_iou == pytest.approx(1)


def test_scores_add_up() -> None:
    one, two = score((truth(f1=A),), [{1: A}]), score((truth(f1=A),), [{}])
    total = one + two
    assert isinstance(total, Score)
    assert total.mean_iou == 0.5
    assert total.tracks == 1
