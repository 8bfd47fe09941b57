from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fer_edge.models.data.faces import UNKNOWN
from fer_edge.models.targets import label_targets, targets, truths, vote_targets

from .tiny_faces import voted


@given(share=st.floats(0, 1), seed=st.integers(0, 99))
def test_targets_are_distributions_wherever_anything_is_known(share: float, seed: int) -> None:
    faces = voted(40, seed)
    rows = targets(faces, 7, share)
    label, votes = label_targets(faces, 7), vote_targets(faces, 7)
    labelled, asked = label.any(1), votes.any(1)
    np.testing.assert_allclose(rows.sum(1), labelled | asked, atol=1e-5)
    both = labelled & asked
    mixed = share * label[both] + (1 - share) * votes[both]
    np.testing.assert_allclose(rows[both], mixed, atol=1e-5)
    np.testing.assert_allclose(rows[labelled & ~asked], label[labelled & ~asked])
    np.testing.assert_allclose(rows[asked & ~labelled], votes[asked & ~labelled])


def test_votes_for_other_expressions_are_no_part_of_a_target() -> None:
    faces = voted(3, 0)
    assert faces.votes is not None
    faces.votes[:] = [0, 0, 0, 3, 0, 1, 0, 6]
    np.testing.assert_allclose(vote_targets(faces, 7), [[0, 0, 0, 0.75, 0, 0.25, 0]] * 3)
    assert (truths(faces, by_votes=True) == UNKNOWN).all()
    np.testing.assert_array_equal(truths(faces, by_votes=False), faces.labels)


def test_the_label_alone_is_the_target_as_it_always_was() -> None:
    faces = voted(30, 1)
    known = faces.take(faces.labelled)
    assert targets(known, 7, 1.0).argmax(1) == pytest.approx(known.labels)
    assert set(np.unique(targets(known, 7, 1.0))) == {0, 1}
