from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fer_edge.convert.tensorflow import import_tensorflow
from fer_edge.engine.errors import BadInput, InputNotFound
from fer_edge.models.augment import Augmentation, augment
from fer_edge.models.dataset import load_fer2013, seen_in

import_tensorflow()

from fer_edge.models import train as training  # noqa: E402
from fer_edge.models.train import Faces, TrainingConfig, rate_at, read_config, train  # noqa: E402

TINY = TrainingConfig(
    epochs=2, batch_size=16, peak_learning_rate=0.05, warmup_epochs=1, precision="float32",
    widths=(4, 8), convolutions=(1, 1),
)  # fmt: skip


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Faces whose brightness is their class, so that a tiny network can learn them."""
    path = tmp_path_factory.mktemp("data") / "faces.npz"
    rng = np.random.default_rng(0)
    emotion = rng.integers(0, 7, 160).astype(np.uint8)
    noise = rng.integers(0, 20, (160, 48, 48))
    pixels = (noise + 32 * emotion[:, None, None]).astype(np.uint8)
    usage = (np.arange(160) >= 128).astype(np.uint8)
    pixels[130] = pixels[3]
    np.savez(path, pixels=pixels, emotion=emotion, usage=usage)
    return path


def weights(folder: Path) -> list[np.ndarray]:
    import keras

    return keras.saving.load_model(folder / "expression.keras", compile=False).get_weights()


def test_a_run_that_was_killed_goes_on_and_ends_the_same(
    data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    train(TINY, data, tmp_path / "whole")
    save = training._save

    def killed(*arguments: object) -> None:
        save(*arguments)  # type: ignore[arg-type]
        raise KeyboardInterrupt

    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(training, "_save", killed)
        train(TINY, data, tmp_path / "parts")
    assert json.loads((tmp_path / "parts/state.json").read_text())["epoch"] == 1
    train(TINY, data, tmp_path / "parts")
    for whole, parts in zip(weights(tmp_path / "whole"), weights(tmp_path / "parts"), strict=True):
        np.testing.assert_allclose(whole, parts, rtol=1e-3, atol=1e-4)
    result = json.loads((tmp_path / "parts/result.json").read_text())
    assert result["public_test_images"] == 32
    assert result["images_without_duplicates"] == 31
    assert np.sum(result["confusion_true_by_predicted"]) == 32
    log = (tmp_path / "parts/log.csv").read_text().splitlines()
    assert [line.split(",")[0] for line in log] == ["epoch", "1", "2"]


def test_another_configuration_does_not_go_on_with_it(data: Path, tmp_path: Path) -> None:
    once = replace(TINY, epochs=1)
    train(once, data, tmp_path)
    with pytest.raises(BadInput, match="another configuration"):
        train(replace(once, dropout=0.1), data, tmp_path)


def test_order_and_augmentation_depend_on_seed_and_epoch_alone(data: Path) -> None:
    split, _ = load_fer2013(data)
    first, again = (Faces(split, TINY, 3, 7)[2] for _ in range(2))
    np.testing.assert_array_equal(first[0], again[0])
    np.testing.assert_array_equal(first[1], again[1])
    assert (Faces(split, TINY, 4, 7)[2][0] != first[0]).any()
    assert (Faces(split, replace(TINY, seed=2), 3, 7)[2][0] != first[0]).any()


def test_an_epoch_shows_every_image_once(data: Path) -> None:
    split, _ = load_fer2013(data)
    batches = Faces(split, TINY, 0, 7)
    assert len(batches) == 8
    shown = np.concatenate([batches[i][1].argmax(axis=1) for i in range(8)])
    np.testing.assert_array_equal(np.bincount(shown), np.bincount(split.labels))


@given(st.floats(0, 26))
def test_the_learning_rate_stays_within_its_bounds(epoch: float) -> None:
    for config in (
        TrainingConfig(epochs=26),
        TrainingConfig(epochs=26, schedule_epochs=38, cooldown_epochs=8),
    ):
        assert -1e-9 <= rate_at(config, epoch) <= config.peak_learning_rate
        assert rate_at(config, 26) == pytest.approx(0, abs=1e-9)
        assert rate_at(config, config.warmup_epochs) == pytest.approx(config.peak_learning_rate)


@given(st.integers(0, 10_000))
def test_augmented_faces_keep_shape_and_range(seed: int) -> None:
    rng = np.random.default_rng(seed)
    face = rng.integers(0, 256, (48, 48), np.uint8)
    before = face.copy()
    changed = augment(face, Augmentation(erase_probability=1.0), rng)
    assert changed.shape == (48, 48)
    assert changed.dtype == np.float32
    assert changed.min() >= 0
    assert changed.max() <= 255
    np.testing.assert_array_equal(face, before)


def test_no_augmentation_is_the_face_or_its_mirror() -> None:
    face = np.random.default_rng(0).integers(0, 256, (48, 48), np.uint8)
    still = Augmentation(0, 0, 0, 0, 0, 0)
    for seed in range(6):
        changed = augment(face, still, np.random.default_rng(seed))
        assert min(np.abs(changed - face).max(), np.abs(changed - face[:, ::-1]).max()) < 1.0


def test_images_in_both_splits_are_found(data: Path) -> None:
    split, public_test = load_fer2013(data)
    assert seen_in(public_test.images, split.images).tolist().index(True) == 2


def test_bad_data_and_configurations_are_named(data: Path, tmp_path: Path) -> None:
    with pytest.raises(InputNotFound, match=r"none\.npz"):
        load_fer2013(tmp_path / "none.npz")
    (tmp_path / "noise.npz").write_bytes(b"noise")
    with pytest.raises(BadInput, match=r"noise\.npz"):
        load_fer2013(tmp_path / "noise.npz")
    np.savez(tmp_path / "short.npz", pixels=np.zeros((3, 48, 48)), emotion=[1], usage=[0])
    with pytest.raises(BadInput, match=r"short\.npz"):
        load_fer2013(tmp_path / "short.npz")
    with pytest.raises(InputNotFound, match=r"none\.json"):
        read_config(tmp_path / "none.json")
    (tmp_path / "c.json").write_text('{"epoch": 3}')
    with pytest.raises(BadInput, match=r"c\.json.*epochs"):
        read_config(tmp_path / "c.json")
