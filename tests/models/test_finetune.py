from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from fer_edge.engine.errors import BadInput, InputNotFound, UnsafeModel
from fer_edge.models.data import folds, load_dataset
from fer_edge.models.keras_backend import import_keras

keras = import_keras()

from fer_edge.models.finetune import cross_validate, start_from  # noqa: E402
from fer_edge.models.fit import MODEL  # noqa: E402
from fer_edge.models.keras_files import save_keras  # noqa: E402
from fer_edge.models.networks import build_network  # noqa: E402
from fer_edge.models.runs import train  # noqa: E402

from ..conftest import REPOSITORY  # noqa: E402
from .tiny_faces import SEVEN, TINY, shades, write_folders  # noqa: E402

SIX = ("angry", "disgust", "fear", "happy", "sad", "surprise")


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("trained")
    train(replace(TINY, epochs=1), shades(64), shades(14), SEVEN, folder, quiet=True)
    return folder / MODEL


def test_the_same_classes_keep_the_head(trained: Path) -> None:
    start = start_from(trained, SEVEN)
    assert not start.new_head
    model = keras.saving.load_model(trained)
    for kept, saved in zip(start.network.get_weights(), model.get_weights(), strict=True):
        np.testing.assert_array_equal(kept, saved)


@pytest.mark.parametrize("classes", [SIX, tuple(reversed(SEVEN))])
def test_other_classes_rebuild_the_head_and_nothing_else(
    trained: Path, classes: tuple[str, ...]
) -> None:
    start = start_from(trained, classes)
    assert start.new_head
    assert start.network.output_shape == (None, len(classes))
    model = keras.saving.load_model(trained)
    pairs = list(zip(start.network.get_weights(), model.get_weights(), strict=True))
    for kept, saved in pairs[:-2]:
        np.testing.assert_array_equal(kept, saved)
    assert pairs[-2][0].shape != pairs[-2][1].shape or (pairs[-2][0] != pairs[-2][1]).any()


def test_a_network_of_keras_2_can_be_retrained(tmp_path: Path) -> None:
    """The published network as HDF5, scaled outside, as the program of 2019 has it."""
    from fer_edge.convert.tensorflow import import_tensorflow
    from fer_edge.models.networks.published import published_network

    import_tensorflow()
    import tf_keras

    old = published_network(tf_keras, 7, rescale=False)
    old.save(tmp_path / "old.h5")
    start = start_from(tmp_path / "old.h5", SEVEN)
    assert not start.new_head
    pixels = shades(7).images[..., None].astype(np.float32)
    np.testing.assert_allclose(
        np.asarray(start.network(pixels, training=False)),
        np.asarray(old(pixels / 127.5 - 1, training=False)),
        atol=1e-5,
    )
    assert start_from(tmp_path / "old.h5", SIX).network.output_shape == (None, 6)


def test_what_cannot_be_retrained_says_why(tmp_path: Path) -> None:
    with pytest.raises(InputNotFound, match=r"none\.keras: no such model"):
        start_from(tmp_path / "none.keras", SIX)
    image = keras.layers.Input((64, 64, 1))
    wide = keras.Model(image, keras.layers.Dense(7)(keras.layers.Flatten()(image)))
    wide.save(tmp_path / "wide.keras")
    with pytest.raises(BadInput, match="training takes models of 48x48 gray faces"):
        start_from(tmp_path / "wide.keras", SIX)
    unsafe = keras.Sequential([keras.layers.Input((48, 48, 1)), keras.layers.Lambda(lambda x: x)])
    unsafe.save(tmp_path / "unsafe.keras")
    with pytest.raises(UnsafeModel, match="Lambda"):
        start_from(tmp_path / "unsafe.keras", SIX)


def test_every_face_is_judged_by_a_network_that_never_saw_its_person(
    tmp_path: Path, trained: Path
) -> None:
    data = load_dataset(write_folders(tmp_path / "data", SIX, people=4))
    faces = data.splits["all"]
    config = replace(TINY, epochs=8, batch_size=6, peak_learning_rate=0.1)
    result = cross_validate(config, data, folds(faces, 2, 1), trained, tmp_path / "out", True)
    assert sorted(result.names) == sorted(faces.names)
    assert result.rows.shape == (len(faces), 6)
    figures = result.figures(data.classes)
    pooled = np.average(result.accuracies, weights=[len(faces) / 2] * 2)
    assert figures.accuracy.share == pytest.approx(pooled)
    assert figures.accuracy.share > 1.5 / 6
    assert (tmp_path / "out/fold2" / MODEL).is_file()


def test_the_shipped_model_can_be_the_start() -> None:
    start = start_from(REPOSITORY / "models" / "expression.keras", SIX)
    assert start.new_head
    assert start.network.output_shape == (None, 6)


def test_a_new_name_is_written_whole(tmp_path: Path) -> None:
    model = build_network("plain", 2, {"widths": [4], "convolutions": [1]})
    save_keras(model, tmp_path / "m.keras", ("x", "y"))
    assert [path.name for path in tmp_path.iterdir()] == ["m.keras"]
