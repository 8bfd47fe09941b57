from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fer_edge.engine.errors import BadInput
from fer_edge.models.data import DataSet, LabelledFaces, divide, folds
from fer_edge.models.data.splits import everything, subjects

from ..tiny_faces import SEVEN, shades


def recorded(people: Sequence[int], classes: int = 3) -> LabelledFaces:
    """A face of each class for each mention of a person, named as CK+ does."""
    faces = shades(len(people) * classes, classes)
    names = tuple(
        f"{c}/S{p:03}_00{c}_{i:08}.png" for i, p in enumerate(people) for c in range(classes)
    )
    return LabelledFaces(faces.images, faces.labels, names)


@given(
    people=st.lists(st.integers(0, 999), min_size=8, max_size=40).filter(
        lambda p: len(set(p)) >= 5
    ),
    seed=st.integers(0, 99),
    count=st.integers(2, 5),
)
def test_a_person_is_on_one_side_only_and_everyone_is_held_out_once(
    people: list[int], seed: int, count: int
) -> None:
    faces = recorded(people)
    parts = folds(faces, count, seed)
    assert len(parts) == count
    held: list[str] = []
    for part in parts:
        inside, outside = subjects(part.training.names), subjects(part.held_out.names)
        assert part.subjects == len(set(people))
        if len(part.held_out):
            assert inside is not None
            assert outside is not None
            assert not set(inside) & set(outside)
        assert len(part.training) + len(part.held_out) == len(faces)
        held += part.held_out.names
    assert sorted(held) == sorted(faces.names)


@given(seed=st.integers(0, 99))
def test_the_same_seed_divides_alike(seed: int) -> None:
    data = DataSet("d", ("a", "b", "c"), {"all": recorded(range(20))})
    first, again = divide(data, seed), divide(data, seed)
    assert first.held_out.names == again.held_out.names
    assert 0.1 < len(first.held_out) / 60 < 0.3


def test_the_author_s_division_is_kept() -> None:
    faces = {name: shades(14, seed=i) for i, name in enumerate(
        ("Training", "PublicTest", "PrivateTest"))}  # fmt: skip
    division = divide(DataSet("f", SEVEN, faces), 1)
    assert division.training is faces["Training"]
    assert division.held_out is faces["PublicTest"]
    assert division.held_out_name == "PublicTest"
    given_val = {"train": shades(14), "val": shades(7), "test": shades(7)}
    division = divide(DataSet("f", SEVEN, given_val), 1)
    assert division.held_out is given_val["val"]


def test_nothing_is_chosen_by_test() -> None:
    splits = {"train": shades(70, seed=1), "test": shades(70, seed=2)}
    data = DataSet("f", SEVEN, splits)
    division = divide(data, 1)
    both = {i.tobytes() for part in (division.training, division.held_out) for i in part.images}
    assert both == {image.tobytes() for image in splits["train"].images}
    assert len(everything(data)) == 70


def test_people_are_read_from_names() -> None:
    found = subjects(["x/S010_004_00000015.png", "S999_001_00000001.png"])
    assert found is not None
    assert found.tolist() == ["S010", "S999"]
    assert subjects(["S010_004_00000015.png", "holiday.png"]) is None
    assert subjects([]) is None
    own = subjects(["ann-1.png", "bob-2.png"], r"^[a-z]+")
    assert own is not None
    assert own.tolist() == ["ann", "bob"]


def test_without_people_faces_are_divided_one_by_one() -> None:
    parts = folds(shades(30, 3), 3, 1)
    assert [part.subjects for part in parts] == [None] * 3
    for part in parts:
        assert np.ptp(np.bincount(part.held_out.labels)) <= 1


def test_what_cannot_be_divided_says_so() -> None:
    with pytest.raises(BadInput, match="2 people cannot be divided into 3"):
        folds(recorded([1, 2, 1, 2]), 3, 1)
    with pytest.raises(BadInput, match="a class of 2 faces"):
        folds(shades(6, 3), 3, 1)
    with pytest.raises(BadInput, match="subject pattern"):
        folds(shades(30, 3), 3, 1, "(")
    with pytest.raises(BadInput, match="nothing to train on; it has test"):
        divide(DataSet("f", SEVEN, {"test": shades(14)}), 1)
