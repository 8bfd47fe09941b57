from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest

from fer_edge.engine.types import Floats
from fer_edge.models.data import LabelledFaces
from fer_edge.models.evaluation.crops import Cropping, Found, measure_crops
from fer_edge.models.evaluation.metrics import measure
from fer_edge.models.evaluation.report import Extra, summary

from ..tiny_faces import SEVEN, shades


def by_shade(images: Sequence[np.ndarray]) -> Floats:
    """Tells the class of `shades` by the brightness, of faces of any size."""
    classes = [min(6, int(np.mean(image)) // 32) for image in images]
    return np.eye(7, dtype=np.float32)[classes]


def cropped(faces: LabelledFaces, spoilt: int) -> LabelledFaces:
    """Crops of other sizes, of which the first are all dark."""
    sizes = 40 + np.arange(len(faces)) % 20
    crops = [np.full((size, size), image.mean(), np.uint8) for size, image in
             zip(sizes, faces.images, strict=True)]  # fmt: skip
    for crop in crops[:spoilt]:
        crop[...] = 255 - crop // 2
    return replace(faces, crops=tuple(crops))


def test_what_the_crop_costs_is_told_of_the_faces_that_were_found() -> None:
    faces = shades(70)
    usual, small = cropped(faces, 7), cropped(faces.take(np.arange(10)), 5)
    cropping = Cropping("lite", Found(100, usual), ((32, Found(40, small)),))
    truths = lambda asked: asked.labels  # noqa: E731
    loss = measure_crops(by_shade, truths, cropping)
    assert (loss.usual.asked, loss.usual.found) == (100, 70)
    assert loss.usual.whole is not None
    assert loss.usual.whole.share == 1
    wrong = int((by_shade(usual.seen).argmax(axis=1) != usual.labels).sum())
    assert wrong >= 5
    assert loss.usual.lost == pytest.approx(wrong / 70)
    (row,) = loss.sizes
    assert (row.side, row.found, row.cropped.count) == (32, 10, 10)
    said = summary(measure(by_shade(faces.images), faces.labels, SEVEN), Extra(crop=loss))
    assert "found by lite: 70 of 100 faces" in said
    assert f"{100 * wrong / 70:.1f} points lost" in said
    assert "\n32" in said


def test_photographs_have_no_perfect_crop() -> None:
    faces = cropped(shades(21), 0)
    loss = measure_crops(by_shade, lambda asked: asked.labels, Cropping("haar", Found(30, faces)))
    assert loss.usual.whole is None
    assert np.isnan(loss.usual.lost)
    assert loss.sizes == ()
