from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from fer_edge.engine.errors import BadInput, InputNotFound
from fer_edge.models.keras_backend import import_keras

keras = import_keras()

from fer_edge.models.networks import ARCHITECTURES, build_network  # noqa: E402
from fer_edge.models.networks.copying import copy_network  # noqa: E402
from fer_edge.models.networks.face_recognition import BLOCKS, enlarged_twice  # noqa: E402
from fer_edge.models.networks.initial import (  # noqa: E402
    load_initial_weights,
    named_variables,
    take_weights,
)

from ..tiny_faces import shades  # noqa: E402

PIXELS = shades(6).images[..., None].astype(np.float32)


def outputs(model: Any, pixels: np.ndarray = PIXELS) -> np.ndarray:
    # Called and not asked to predict, for which a back end would first compile it.
    return np.asarray(keras.ops.convert_to_numpy(model(pixels, training=False)))


@pytest.mark.parametrize("name", ARCHITECTURES)
@pytest.mark.parametrize("classes", [2, 7])
def test_every_architecture_takes_pixels_and_gives_probabilities(name: str, classes: int) -> None:
    rows = outputs(build_network(name, classes, {}))
    assert rows.shape == (6, classes)
    np.testing.assert_allclose(rows.sum(axis=1), 1, rtol=1e-5)


def test_the_published_network_is_the_published_one() -> None:
    model = build_network("published", 7, {})
    assert model.count_params() == 3_152_563
    kinds = [type(layer).__name__ for layer in model.layers]
    assert kinds.count("DepthwiseConv2D") == 3 + 12
    assert kinds.count("PReLU") == 2 * (3 + 12) + 1
    kernels = {
        layer.kernel_size for layer in model.layers if type(layer).__name__ == "DepthwiseConv2D"
    }
    assert kernels == {(3, 3), (7, 7), (11, 11)}
    # One slope for each position, not one a channel.
    prelu = next(layer for layer in model.layers if type(layer).__name__ == "PReLU")
    assert prelu.weights[0].shape == prelu.output.shape[1:]


def test_what_an_architecture_does_not_have_is_named() -> None:
    with pytest.raises(BadInput, match="published, plain, residual"):
        build_network("vgg", 7, {})
    with pytest.raises(BadInput, match=r"plain has no depth; it has .*widths"):
        build_network("plain", 7, {"depth": 3})
    with pytest.raises(BadInput, match="has no classes"):
        build_network("plain", 7, {"classes": 3})
    with pytest.raises(BadInput, match="cannot be built so"):
        build_network("plain", 7, {"widths": [8, 8]})
    with pytest.raises(BadInput, match="cannot be built so"):
        build_network("plain", 7, {"widths": 8})


def test_a_network_goes_on_at_a_higher_resolution() -> None:
    model, finer = (
        build_network("residual", 3, {"widths": [4, 4, 4, 4], "blocks": [1] * 4} | options)
        for options in ({}, {"resolution": 96})
    )
    take_weights(finer, model)
    assert finer.input_shape == model.input_shape
    assert finer.get_layer("pool").input.shape[1] == 2 * model.get_layer("pool").input.shape[1]
    assert finer.count_params() == model.count_params()
    # Flat faces look the same however fine one looks, but for the borders.
    flat = np.full_like(PIXELS, 90)
    stems = [
        outputs(keras.Model(net.input, net.get_layer("stem_relu").output), flat)
        for net in (model, finer)
    ]
    np.testing.assert_allclose(stems[0][:, 24, 24], stems[1][:, 48, 48], rtol=1e-5)
    with pytest.raises(BadInput, match="resolution 50 is no multiple of 16"):
        build_network("residual", 3, {"resolution": 50})
    two_stages = {"widths": [4, 4], "blocks": [1, 1]}
    assert outputs(build_network("residual", 3, two_stages | {"resolution": 60})).shape == (6, 3)


def test_the_shipped_first_weights_fill_all_but_the_head() -> None:
    model = build_network("residual", 7, {})
    before = outputs(model)
    assert load_initial_weights(model, "face_recognition") == len(model.weights) - 2
    assert np.abs(outputs(model) - before).max() > 1e-3
    # They are not noise: normalisation sees the spread that it was told to expect.
    names = named_variables(model)
    variances = np.concatenate([
        np.ravel(keras.ops.convert_to_numpy(v)) for k, v in names.items()
        if k.endswith("moving_variance")
    ])  # fmt: skip
    assert (variances > 0).all()
    assert len(BLOCKS) == sum((3, 4, 3, 1))


def test_first_weights_that_do_not_fit_are_refused(tmp_path: Path) -> None:
    model = build_network("plain", 3, {"widths": [4], "convolutions": [1]})
    with pytest.raises(InputNotFound, match="shipped with fer-edge are face_recognition"):
        load_initial_weights(model, str(tmp_path / "none.npz"))
    np.savez(tmp_path / "a.npz", **{"stage1_1/kernel": np.zeros((3, 3, 1, 5))})
    with pytest.raises(BadInput, match=r"stage1_1/kernel is \(3, 3, 1, 5\)"):
        load_initial_weights(model, str(tmp_path / "a.npz"))
    with pytest.raises(BadInput, match="names no layer of plain_network"):
        load_initial_weights(model, "face_recognition")
    np.savez(tmp_path / "b.npz", np.array([{}], dtype=object))
    with pytest.raises(BadInput, match=r"names no layer|not an \.npz"):
        load_initial_weights(model, str(tmp_path / "b.npz"))
    (tmp_path / "c.npz").write_text("no archive")
    with pytest.raises(BadInput, match=r"not an \.npz"):
        load_initial_weights(model, str(tmp_path / "c.npz"))


def test_one_small_kernel_does_what_enlarging_and_a_large_one_do() -> None:
    """A row enlarged twice with aligned pixel centres, then a kernel of 7 at stride 2."""
    import cv2

    rng = np.random.default_rng(0)
    row, kernel = rng.normal(size=20).astype(np.float32), rng.normal(size=7)
    large = cv2.resize(row[None], (40, 1), interpolation=cv2.INTER_LINEAR)[0]
    expected = [large[2 * i - 3 : 2 * i + 4] @ kernel for i in range(3, 17)]
    small = kernel @ enlarged_twice()
    got = [row[i - 2 : i + 3] @ small for i in range(3, 17)]
    np.testing.assert_allclose(got, expected, rtol=1e-4, atol=1e-5)


def published_style() -> Any:
    """A network as the program of 2019 had them: scaled outside, a convolution as its head."""
    layers = keras.layers
    image = layers.Input((48, 48, 1))
    x = layers.Conv2D(6, 3, strides=2)(image)
    x = layers.Add()([layers.PReLU()(layers.BatchNormalization()(x)), x])
    x = layers.AveragePooling2D(23)(x)
    x = layers.Flatten()(layers.Conv2D(5, 1)(x))
    return keras.Model(image, layers.Softmax()(x))


def test_a_copy_computes_the_same() -> None:
    for model in (build_network("plain", 4, {"widths": [4], "convolutions": [1]}),
                  published_style()):  # fmt: skip
        np.testing.assert_allclose(outputs(copy_network(model)), outputs(model), atol=1e-6)


def test_a_new_head_keeps_everything_below_it() -> None:
    model = published_style()
    copy = copy_network(model, classes=3, rescale=True)
    assert outputs(copy).shape == (6, 3)
    below = len(model.layers) - 4
    for old, new in zip(model.layers[1:below], copy.layers[2 : below + 1], strict=True):
        for before, after in zip(old.get_weights(), new.get_weights(), strict=True):
            np.testing.assert_array_equal(before, after)


def test_the_scaling_that_was_outside_comes_inside() -> None:
    model = published_style()
    copy = copy_network(model, rescale=True)
    np.testing.assert_allclose(outputs(copy), outputs(model, PIXELS / 127.5 - 1), atol=1e-5)


def test_logits_become_probabilities() -> None:
    model = keras.Sequential([
        keras.layers.Input((48, 48, 1)), keras.layers.Flatten(), keras.layers.Dense(4)
    ])  # fmt: skip
    rows = outputs(copy_network(model, rescale=True))
    np.testing.assert_allclose(rows.sum(axis=1), 1, rtol=1e-5)


def test_layers_follow_the_policy_but_the_head_stays_precise() -> None:
    keras.config.set_dtype_policy("mixed_bfloat16")
    try:
        copy = copy_network(published_style(), classes=3)
    finally:
        keras.config.set_dtype_policy("float32")
    kinds = {layer.name: layer.compute_dtype for layer in copy.layers if layer.weights}
    assert set(list(kinds.values())[:-1]) == {"bfloat16"}
    assert list(kinds.values())[-1] == "float32"
    rows = outputs(copy)
    assert rows.dtype == np.float32
    np.testing.assert_allclose(rows.sum(axis=1), 1, rtol=1e-5)


def test_a_head_of_another_kind_is_refused() -> None:
    image = keras.layers.Input((48, 48, 1))
    odd = keras.Model(image, keras.layers.BatchNormalization()(keras.layers.Flatten()(image)))
    with pytest.raises(BadInput, match="BatchNormalization, expected Dense or Conv2D"):
        copy_network(odd, classes=3)
    fixed = keras.layers.Conv2D(8, 48)(image)
    fixed = keras.layers.Reshape((8,))(fixed)
    with pytest.raises(BadInput, match="cannot be given another head"):
        copy_network(keras.Model(image, fixed), classes=3)
