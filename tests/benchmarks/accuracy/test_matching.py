"""Matching and average precision, against a plain program that counts another way."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fer_edge.benchmarks.accuracy.matching import SIZES, Matches, Size, Truths, match
from fer_edge.benchmarks.accuracy.precision import Pool, area
from fer_edge.engine.types import Detections

ALL = SIZES[0]
Box = tuple[float, float, float, float]


def truths(boxes: list[Box], ignored: tuple[int, ...] = (), crowd: tuple[int, ...] = ()) -> Truths:
    count = range(len(boxes))
    return Truths(
        np.array(boxes, np.float32).reshape(-1, 4),
        np.array([n in ignored for n in count], bool),
        np.array([n in crowd for n in count], bool),
    )


def detections(boxes: list[Box], scores: list[float]) -> Detections:
    return Detections(np.array(boxes, np.float32).reshape(-1, 4), np.array(scores, np.float32))


def test_the_better_detection_gets_the_face_and_the_other_is_wrong() -> None:
    near, exact = (1.0, 0.0, 10.0, 10.0), (0.0, 0.0, 10.0, 10.0)
    found = match(detections([exact, near], [0.5, 0.9]), truths([exact]))
    assert found.scores.tolist() == pytest.approx([0.9, 0.5])
    assert found.right.tolist() == [True, False]
    assert found.faces == 1


def test_an_ignored_face_counts_neither_way_and_a_real_one_goes_first() -> None:
    face, ignored = (0.0, 0.0, 10.0, 10.0), (0.0, 1.0, 10.0, 10.0)
    known = truths([ignored, face], ignored=(0,))
    assert match(detections([ignored], [0.9]), known).right.tolist() == [True]
    both = match(detections([ignored, ignored], [0.9, 0.8]), known)
    assert (both.right.tolist(), both.faces) == ([True], 1)
    assert match(detections([], []), known).faces == 1


def test_a_crowd_hides_any_number_of_detections_in_it() -> None:
    known = truths([(0, 0, 100, 100)], crowd=(0,))
    inside = [(10.0 * n, 5.0, 10.0, 10.0) for n in range(4)]
    assert len(match(detections(inside, [0.9, 0.8, 0.7, 0.6]), known).scores) == 0
    assert match(detections([(95, 0, 10, 10)], [0.9]), known).right.tolist() == []
    assert match(detections([(96, 0, 10, 10)], [0.9]), known).right.tolist() == [False]


def test_outside_the_range_of_sizes_nothing_counts() -> None:
    small, large = (0.0, 0.0, 20.0, 40.0), (100.0, 100.0, 50.0, 60.0)
    stray_small, stray_large = (300.0, 0.0, 31.0, 50.0), (300.0, 300.0, 32.0, 50.0)
    shown = detections([small, large, stray_small, stray_large], [0.9, 0.8, 0.7, 0.6])
    known = truths([small, large])
    of_large = match(shown, known, Size(">= 32 px", 32))
    assert (of_large.right.tolist(), of_large.faces) == ([True, False], 1)
    of_small = match(shown, known, Size("< 32 px", 0, 32))
    assert (of_small.right.tolist(), of_small.faces) == ([True, False], 1)
    assert len(match(shown, known, ALL).scores) == 4


def test_a_detection_of_another_size_than_its_face_counts_with_the_face() -> None:
    face, taller = (0.0, 0.0, 33.0, 33.0), (0.0, 0.0, 31.0, 34.0)
    assert match(detections([taller], [0.9]), truths([face]), Size("x", 32)).right.tolist() == [
        True
    ]
    assert match(detections([taller], [0.9]), truths([face]), Size("x", 0, 32)).scores.size == 0


def test_average_precision_of_a_known_case() -> None:
    # Right, wrong, right, of three faces: 1 up to a third, 2/3 up to two thirds.
    pool = Pool([Matches(np.array([0.9, 0.8, 0.7]), np.array([True, False, True]), 3)])
    assert pool.average_precision() == pytest.approx(1 / 3 + 2 / 3 / 3)
    curve = pool.curve()
    assert curve.recall.tolist() == pytest.approx([1 / 3, 1 / 3, 2 / 3])
    assert curve.precision.tolist() == pytest.approx([1, 1 / 2, 2 / 3])
    assert curve.at(0.75) == (pytest.approx(0.5), pytest.approx(1 / 3))
    assert curve.at(0.95) == (None, 0.0)


def test_detections_of_one_score_come_in_together() -> None:
    for order in ([True, False], [False, True]):
        pool = Pool([Matches(np.ones(2), np.array(order), 1)])
        assert pool.average_precision() == pytest.approx(0.5)


def test_nothing_to_find_has_no_average_precision() -> None:
    assert Pool([Matches(np.array([0.9]), np.array([False]), 0)]).average_precision() is None
    assert Pool([Matches(np.empty(0), np.empty(0, bool), 2)]).average_precision() == 0


def test_draws_lie_around_the_value_and_are_the_same_again() -> None:
    rng = np.random.default_rng(1)
    pool = Pool([Matches(rng.random(5), rng.random(5) < 0.7, 5) for _ in range(60)])
    value, drawn = pool.average_precision(), pool.resampled()
    assert value is not None
    assert np.quantile(drawn, 0.025) < value < np.quantile(drawn, 0.975)
    assert (drawn == pool.resampled()).all()
    alike = Pool([Matches(np.array([0.9]), np.array([True]), 1)] * 5)
    assert alike.resampled() == pytest.approx(1.0)


boxes = st.tuples(
    st.integers(0, 60), st.integers(0, 60), st.integers(8, 64), st.integers(8, 64)
)  # fmt: skip
picture = st.tuples(
    st.lists(st.tuples(boxes, st.booleans()), max_size=5),
    st.lists(st.tuples(boxes, st.integers(0, 1000)), max_size=6),
)


@given(st.lists(picture, min_size=1, max_size=4), st.sampled_from(SIZES))
def test_average_precision_is_that_of_a_plain_program(
    pictures: list[tuple[list[tuple[Box, bool]], list[tuple[Box, int]]]], size: Size
) -> None:
    # Scores differ, so that no order is left to chance.
    unique = [
        (faces, [(box, score + 0.1 * n + 0.01 * number) for n, (box, score) in enumerate(seen)])
        for number, (faces, seen) in enumerate(pictures)
    ]
    matches = [
        match(
            Detections(
                np.array([box for box, _ in seen], np.float32).reshape(-1, 4),
                np.array([score for _, score in seen], np.float32),
            ),
            truths(
                [box for box, _ in faces], tuple(n for n, (_, skip) in enumerate(faces) if skip)
            ),
            size,
        )
        for faces, seen in unique
    ]
    found = Pool(matches).average_precision()
    expected = plain_average_precision(unique, size)
    assert (found is None) == (expected is None)
    if expected is not None:
        assert found == pytest.approx(expected, abs=1e-9)


def plain_average_precision(
    pictures: list[tuple[list[tuple[Box, bool]], list[tuple[Box, float]]]], size: Size
) -> float | None:
    """Written from the definition: one detection after the other, over all pictures."""

    def counted(box: Box) -> bool:
        return size.least <= min(box[2:]) < size.largest

    everything = [
        (float(np.float32(score)), number, box)
        for number, (_, seen) in enumerate(pictures)
        for box, score in seen
    ]
    taken: set[tuple[int, int]] = set()
    results = []
    for _, number, box in sorted(everything, key=lambda one: -one[0]):
        faces = pictures[number][0]
        fitting = [
            (skip or not counted(face), -overlap(box, face), index)
            for index, (face, skip) in enumerate(faces)
            if overlap(box, face) >= 0.5 and (number, index) not in taken
        ]
        if fitting:
            ignored, _, index = min(fitting)
            taken.add((number, index))
            results += [] if ignored else [1]
        elif counted(box):
            results.append(0)
    total = sum(counted(face) and not skip for faces, _ in pictures for face, skip in faces)
    if not total:
        return None
    points = [
        (sum(results[: n + 1]) / total, sum(results[: n + 1]) / (n + 1))
        for n in range(len(results))
    ]
    # A sum over the faces found: each adds the best precision from its recall on.
    steps = range(1, sum(results) + 1)
    return sum(max(p for r, p in points if r >= k / total - 1e-12) for k in steps) / total


def overlap(a: Box, b: Box) -> float:
    across = min(a[0] + a[2], b[0] + b[2]) - max(a[0], b[0])
    down = min(a[1] + a[3], b[1] + b[3]) - max(a[1], b[1])
    both = max(0, across) * max(0, down)
    return float(np.float32(both / (a[2] * a[3] + b[2] * b[3] - both)))


@given(st.lists(st.booleans(), min_size=1, max_size=30), st.integers(0, 10))
def test_the_area_is_between_nothing_and_the_recall(right: list[bool], missed: int) -> None:
    total = sum(right) + missed
    if total:
        recall = np.cumsum(right) / total
        precision = np.cumsum(right) / np.arange(1, len(right) + 1)
        assert 0 <= area(precision, recall) <= recall[-1] + 1e-12
