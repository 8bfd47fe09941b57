from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fer_edge.models.evaluation.sizes import by_size
from fer_edge.models.evaluation.votes import measure_votes, risk_coverage
from fer_edge.models.targets import vote_targets

from ..tiny_faces import shades, voted


@given(seed=st.integers(0, 999), count=st.integers(8, 60))
def test_figures_by_votes_agree_with_their_definitions(seed: int, count: int) -> None:
    faces = voted(count, seed)
    rows = np.random.default_rng(seed).dirichlet([0.5] * 7, count).astype(np.float32)
    figures = measure_votes(rows, faces)
    assert figures is not None
    clear = faces.majorities >= 0
    right = (rows.argmax(1) == faces.majorities)[clear]
    assert (figures.agreement.right, figures.agreement.count) == (right.sum(), clear.sum())
    wanted = vote_targets(faces, 7)
    asked = wanted.any(1)
    expected = -(wanted * np.log(np.maximum(rows, 1e-7))).sum(1)[asked].mean()
    assert figures.cross_entropy == pytest.approx(expected, rel=1e-4)
    last = figures.coverage[-1]
    assert (last.share, last.right) == (1.0, pytest.approx(right.mean()))
    for point in (*figures.coverage, *([figures.confident] if figures.confident else [])):
        sure = rows[clear].max(1) >= point.least_confidence
        assert sure.mean() >= point.share - 1e-9
    if figures.confident:
        assert figures.confident.right >= 0.9


@given(seed=st.integers(0, 99))
def test_confidence_falls_along_the_curve(seed: int) -> None:
    rng = np.random.default_rng(seed)
    rows = rng.dirichlet([0.5] * 7, 40).astype(np.float32)
    curve = risk_coverage(rows, rng.integers(0, 7, 40))
    assert (np.diff(curve[:, 1]) <= 0).all()
    assert ((curve[:, 0] >= 0) & (curve[:, 0] <= 1)).all()


def test_without_votes_there_are_no_such_figures() -> None:
    rows = np.full((9, 7), 1 / 7, np.float32)
    assert measure_votes(rows, shades(9)) is None
    silent = voted(9)
    assert silent.votes is not None
    silent.votes[:] = 0
    assert measure_votes(rows, silent) is None


def test_faces_are_asked_about_in_every_size() -> None:
    faces = shades(21)

    def answers(images: np.ndarray) -> np.ndarray:
        return np.eye(7, dtype=np.float32)[(images.mean((1, 2)) // 32).astype(int)]

    found = by_size(answers, faces.images, faces.labels)
    assert [row.side for row in found] == [16, 20, 24, 32, 40, 48]
    # Shrinking keeps the shade of a face, and with it the answer.
    assert all(row.accuracy.right == row.accuracy.count == 21 for row in found)
