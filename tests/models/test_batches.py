from __future__ import annotations

from collections import Counter
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fer_edge.models.keras_backend import import_keras

import_keras()

from fer_edge.models import targets as wanted  # noqa: E402
from fer_edge.models.augment import Augmentation  # noqa: E402
from fer_edge.models.batches import Batches, class_weights  # noqa: E402

from .tiny_faces import TINY, shades, voted  # noqa: E402

PLAIN = replace(TINY, augmentation=Augmentation(0, 0, 0, 0, 0, 0, 0))


def test_an_epoch_shows_every_face_once_but_for_the_last_incomplete_batch() -> None:
    faces = shades(35)
    batches = Batches(faces, 7, PLAIN, 0)
    assert len(batches) == 2
    seen = Counter(
        image.astype(np.uint8).tobytes() for i in range(2) for image in batches[i][0][..., 0]
    )
    assert set(seen.values()) == {1}
    assert set(seen) <= {image.tobytes() for image in faces.images}
    for images, targets, weights in (batches[0], batches[1]):
        np.testing.assert_array_equal(images.mean((1, 2, 3)) // 32, targets.argmax(1))
        np.testing.assert_array_equal(weights, 1)


@given(epoch=st.integers(0, 50), seed=st.integers(0, 50))
def test_order_and_changes_are_functions_of_seed_and_epoch(epoch: int, seed: int) -> None:
    faces = shades(64)
    config = replace(TINY, seed=seed, mixup=0.2)
    one, same = (Batches(faces, 7, config, epoch)[1] for _ in "ab")
    for value, again in zip(one, same, strict=True):
        np.testing.assert_array_equal(value, again)
    assert (Batches(faces, 7, config, epoch + 1)[1][0] != one[0]).any()
    assert (Batches(faces, 7, replace(config, seed=seed + 1), epoch)[1][0] != one[0]).any()


def test_mixing_mixes_targets_as_it_mixes_faces() -> None:
    images, targets, _ = Batches(shades(64), 7, replace(PLAIN, mixup=1.0), 0)[0]
    np.testing.assert_allclose(targets.sum(1), 1, rtol=1e-5)
    assert ((targets > 0).sum(1) == 2).any()
    # The shade of a class is 32 times its number, with noise of 9.5 on average.
    np.testing.assert_allclose(images.mean((1, 2, 3)), 32 * targets @ np.arange(7) + 9.5, atol=1)


def test_after_a_restart_targets_are_part_label_part_earlier_answer() -> None:
    faces = shades(35)
    said = np.random.default_rng(0).dirichlet(np.ones(7), 35).astype(np.float16)
    config = replace(PLAIN, snapshot_share=0.25)
    _, labels, _ = Batches(faces, 7, config, 1)[0]
    _, mixed, _ = Batches(faces, 7, config, 1, said)[0]
    order = np.random.default_rng((config.seed, 1)).permutation(35)[:16]
    np.testing.assert_allclose(mixed, 0.75 * labels + 0.25 * said[order], atol=1e-3)
    np.testing.assert_allclose(mixed.sum(1), 1, atol=2e-3)


def test_teachers_are_asked_about_the_faces_as_they_are_shown() -> None:
    faces = shades(35)
    config = replace(TINY, mixup=1.0, teacher_share=0.75)

    def teachers(images: np.ndarray) -> np.ndarray:
        """The brightness decides between the first two classes."""
        first = images.mean((1, 2, 3)) / 255
        return np.stack([first, 1 - first, *[0 * first] * 5], axis=1)

    shown, labels, _ = Batches(faces, 7, config, 1)[0]
    images, targets, _ = Batches(faces, 7, config, 1, teachers=teachers)[0]
    np.testing.assert_array_equal(images, shown)
    np.testing.assert_allclose(targets, 0.25 * labels + 0.75 * teachers(shown), atol=1e-6)


@given(counts=st.lists(st.integers(1, 200), min_size=2, max_size=8), exponent=st.floats(0, 1))
def test_class_weights_have_mean_one_and_favour_the_rare(
    counts: list[int], exponent: float
) -> None:
    labels = np.repeat(np.arange(len(counts)), counts)
    weights = class_weights(labels, len(counts), exponent)
    assert weights[labels].mean() == pytest.approx(1, rel=1e-4)
    order = np.argsort(counts, kind="stable")
    assert (np.diff(weights[order]) <= 1e-5).all()
    if exponent == 0:
        np.testing.assert_allclose(weights, 1)
    if exponent == 1:
        np.testing.assert_allclose(weights * counts, (weights * counts)[0], rtol=1e-4)


def test_a_head_for_the_label_has_targets_of_its_own() -> None:
    faces = voted(35)
    config = replace(PLAIN, label_share=0.3)
    _, (votes, labels), (weights, label_weights) = Batches(faces, 7, config, 0, label_head=True)[0]
    order = np.random.default_rng((config.seed, 0)).permutation(35)[:16]
    np.testing.assert_array_equal(votes, wanted.targets(faces, 7, 0.0)[order])
    np.testing.assert_array_equal(labels, wanted.label_targets(faces, 7)[order])
    np.testing.assert_array_equal(weights, 1)
    np.testing.assert_array_equal(label_weights, faces.labelled[order])
    _, mixed, _ = Batches(faces, 7, config, 0)[0]
    np.testing.assert_array_equal(mixed, wanted.targets(faces, 7, 0.3)[order])
