from __future__ import annotations

import numpy as np
import pytest

from fer_edge.models.keras_backend import import_keras

keras = import_keras()

from fer_edge.models.normalisation import Normalisations  # noqa: E402

from .tiny_faces import shades  # noqa: E402


def test_statistics_are_those_of_the_faces() -> None:
    image = keras.layers.Input((48, 48, 1))
    first, second = (keras.layers.BatchNormalization() for _ in "ab")
    model = keras.Model(image, second(first(image)))
    faces = shades(700)
    normalisations = Normalisations(model)
    pixels = faces.images.astype(float)
    parts = [pixels[at : at + 256] for at in range(0, 700, 256)]
    for _ in range(2):
        normalisations.refresh(faces.images)
        mean, variance = (float(keras.ops.convert_to_numpy(v)[0]) for v in first.weights[2:])
        assert mean == pytest.approx(np.mean([p.mean() for p in parts]), rel=1e-3)
        assert variance == pytest.approx(np.mean([p.var() for p in parts]), rel=1e-2)
        # The second sees batches that the first has normalised by themselves.
        mean, variance = (float(keras.ops.convert_to_numpy(v)[0]) for v in second.weights[2:])
        assert mean == pytest.approx(0, abs=1e-3)
        assert variance == pytest.approx(1, rel=1e-2)
    assert first.momentum == second.momentum == 0.99


def test_what_has_no_statistics_is_left_alone() -> None:
    image = keras.layers.Input((48, 48, 1))
    model = keras.Model(image, keras.layers.Flatten()(image))
    Normalisations(model).refresh(shades(3).images)
