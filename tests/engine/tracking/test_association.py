from __future__ import annotations

from itertools import permutations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from fer_edge.engine.geometry import iou_matrix
from fer_edge.engine.tracking.association import MIN_IOU, associate

boxes = st.lists(st.tuples(*[st.integers(0, 30)] * 2, *[st.integers(5, 30)] * 2), max_size=5).map(
    lambda rows: np.array(rows, np.float32).reshape(-1, 4)
)


@given(boxes, boxes)
def test_pairs_are_one_to_one_and_overlap_enough(tracks: np.ndarray, found: np.ndarray) -> None:
    matched = associate(tracks, found)
    assert len(set(matched.values())) == len(matched)
    overlap = iou_matrix(tracks, found)
    assert all(overlap[track, detection] >= MIN_IOU for detection, track in matched.items())


@given(boxes, boxes)
def test_no_other_assignment_overlaps_more(tracks: np.ndarray, found: np.ndarray) -> None:
    overlap = iou_matrix(tracks, found)
    overlap[overlap < MIN_IOU] = 0
    if overlap.shape[0] > overlap.shape[1]:
        overlap = overlap.T
    rows, columns = overlap.shape
    best = max(
        sum(overlap[i, j] for i, j in enumerate(chosen))
        for chosen in permutations(range(columns), rows)
    )
    matched = associate(tracks, found)
    reached = sum(iou_matrix(tracks[[t]], found[[d]])[0, 0] for d, t in matched.items())
    np.testing.assert_allclose(reached, best, atol=1e-5)
