from __future__ import annotations

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fer_edge.engine.model import InputFacts
from fer_edge.engine.preprocess import (
    face_inputs,
    letterbox_size,
    network_input,
    network_pixels,
    seen_extent,
    square_crop,
)

sizes = st.tuples(st.integers(2, 200), st.integers(2, 200))


def picture(height: int, width: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (height, width, 3), np.uint8)


def facts(height: int, width: int, **changes: object) -> InputFacts:
    values: dict[str, object] = {
        "name": "image",
        "height": height,
        "width": width,
        "colour": "rgb",
        "resize": "tf1_bilinear",
        "mean": (127.5,) * 3,
        "scale": (1 / 127.5,) * 3,
    }
    return InputFacts(**{**values, **changes})  # type: ignore[arg-type]


def tf1_bilinear(image: np.ndarray, height: int, width: int) -> np.ndarray:
    """TensorFlow 1's ResizeBilinear, written from its definition: sample at dst * scale."""

    def weights(size: int, target: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        at = np.arange(target, dtype=np.float32) * np.float32(size / target)
        low = np.minimum(at.astype(int), size - 1)
        return low, np.minimum(low + 1, size - 1), at - low

    y0, y1, fy = weights(image.shape[0], height)
    x0, x1, fx = weights(image.shape[1], width)
    pixels = image.astype(np.float32)
    fx = fx[None, :, None]
    top = pixels[y0][:, x0] * (1 - fx) + pixels[y0][:, x1] * fx
    bottom = pixels[y1][:, x0] * (1 - fx) + pixels[y1][:, x1] * fx
    return top + (bottom - top) * fy[:, None, None]


@pytest.mark.parametrize("size", [(480, 640), (720, 1280), (512, 512), (100, 60)])
def test_tf1_bilinear_equals_its_definition_for_common_sizes(size: tuple[int, int]) -> None:
    target = (512, 512) if max(size) > 100 else (25, 30)
    image = picture(*size)
    expected = (tf1_bilinear(image, *target)[..., ::-1] - 127.5) / 127.5
    actual = network_input(image, facts(*target))
    assert actual.shape == (1, 3, *target)
    assert actual.dtype == np.float32
    # A thousandth of a grey level.
    np.testing.assert_allclose(actual[0].transpose(1, 2, 0), expected, atol=1e-3 / 127.5)


@given(sizes, sizes)
def test_tf1_bilinear_is_within_a_32nd_of_a_pixel_for_all_sizes(
    source: tuple[int, int], target: tuple[int, int]
) -> None:
    # OpenCV rounds sampling positions to 1/32 pixel: at most 1/64 of the full range an axis.
    image = picture(*source)
    raw = facts(*target, mean=(0.0,) * 3, scale=(1.0,) * 3, colour="bgr")
    error = np.abs(network_input(image, raw)[0].transpose(1, 2, 0) - tf1_bilinear(image, *target))
    assert error.max() <= 255 * 2 / 64 + 0.1
    assert error.mean() <= 1.5


def test_tf1_bilinear_equals_tensorflow() -> None:
    tf = pytest.importorskip("tensorflow", reason="needs fer-edge[convert]")
    pairs = [((480, 640), (512, 512)), ((96, 64), (128, 256)), ((300, 300), (300, 300))]
    for source, target in pairs:
        image = picture(*source)
        expected = tf.raw_ops.ResizeBilinear(
            images=image[None, ..., ::-1].astype(np.float32), size=target, align_corners=False
        )
        raw = facts(*target, mean=(0.0,) * 3, scale=(1.0,) * 3)
        actual = network_input(image, raw)[0].transpose(1, 2, 0)
        np.testing.assert_allclose(actual, expected.numpy()[0], atol=2e-3)


def test_colour_order_mean_and_scale() -> None:
    image = np.zeros((4, 4, 3), np.uint8)
    image[...] = (10, 20, 30)
    expected = {"rgb": (29, 36, 21), "bgr": (9, 36, 81)}
    for colour, values in expected.items():
        given_facts = facts(
            4, 4, colour=colour, mean=(1.0, 2.0, 3.0), scale=(1.0, 2.0, 3.0),
            resize="half_pixel_bilinear",
        )  # fmt: skip
        np.testing.assert_allclose(network_input(image, given_facts)[0, :, 0, 0], values)


@given(
    st.lists(
        st.tuples(
            st.floats(-60, 120), st.floats(-60, 120), st.floats(0.5, 150), st.floats(0.5, 150)
        ),
        max_size=5,
    )
)
def test_faces_of_any_place_and_size_give_a_batch(boxes: list[tuple[float, ...]]) -> None:
    gray = facts(12, 12, colour="gray", mean=(0.0,), scale=(1.0,), resize="area")
    batch = face_inputs(picture(80, 100), np.array(boxes, np.float32).reshape(-1, 4), gray)
    assert batch.shape == (len(boxes), 1, 12, 12)
    assert (batch >= 0).all()
    assert (batch <= 255).all()


def test_area_resize_averages_whole_cells() -> None:
    image = picture(96, 96)
    gray = facts(48, 48, colour="bgr", mean=(0.0,) * 3, scale=(1.0,) * 3, resize="area")
    batch = face_inputs(image, np.array([[0, 0, 96, 96]], np.float32), gray)
    expected = image.reshape(48, 2, 48, 2, 3).mean(axis=(1, 3))
    np.testing.assert_allclose(batch[0].transpose(1, 2, 0), expected, atol=1e-3)


@given(st.integers(12, 150), st.integers(0, 1000))
def test_gray_faces_are_the_means_of_areas(side: int, seed: int) -> None:
    gray = facts(12, 12, colour="gray", mean=(0.0,), scale=(1.0,), resize="area")
    image = picture(160, 160, seed)
    box = np.array([[5, 5, side, side]], np.float32)
    pixels = cv2.cvtColor(image[5 : 5 + side, 5 : 5 + side], cv2.COLOR_BGR2GRAY)
    expected = cv2.resize(pixels.astype(np.float32), (12, 12), interpolation=cv2.INTER_AREA)
    np.testing.assert_allclose(face_inputs(image, box, gray)[0, 0], expected, atol=1e-3)


def test_the_largest_faces_do_not_overflow() -> None:
    gray = facts(12, 12, colour="gray", mean=(0.0,), scale=(1.0,), resize="area")
    white = np.full((3000, 3000, 3), 255, np.uint8)
    out = np.empty((1, 1, 12, 12), np.float32)
    box = np.array([[0, 0, 3000, 3000]], np.float32)
    assert face_inputs(white, box, gray, out) is out
    np.testing.assert_allclose(out, 255, rtol=1e-6)


def test_a_crop_out_of_the_frame_repeats_its_border() -> None:
    image = picture(20, 20)
    crop = square_crop(image, np.array([-30, 5, 10, 10], np.float32))
    assert crop.shape == (10, 10, 3)
    assert (crop == image[5:15, :1]).all()


@given(st.floats(0, 60), st.floats(0, 60), st.floats(1, 40), st.floats(1, 40))
def test_a_crop_is_a_square_around_the_centre(x: float, y: float, w: float, h: float) -> None:
    ramp = np.broadcast_to(np.arange(200, dtype=np.uint8)[None, :, None], (200, 200, 3))
    crop = square_crop(ramp, np.array([x + 50, y + 50, w, h], np.float32))
    assert crop.shape[0] == crop.shape[1] == max(1, round(max(w, h)))
    assert abs(crop[0].astype(float).mean() + 0.5 - (x + 50 + w / 2)) <= 1.0


@pytest.mark.parametrize("turns", [1, 2, 3])
@pytest.mark.parametrize("side", [1, 8, 9])
def test_a_quarter_turn_moves_whole_pixels(side: int, turns: int) -> None:
    image = picture(40, 50)
    upright = square_crop(image, np.array([20, 15, side, side], np.float32))
    turned = square_crop(image, np.array([20, 15, side, side, 90 * turns], np.float32))
    np.testing.assert_array_equal(turned, np.rot90(upright, turns))


@given(st.floats(-90, 90), st.integers(30, 60))
def test_a_tilted_crop_is_the_upright_one_of_the_turned_picture(tilt: float, side: int) -> None:
    smooth = cv2.GaussianBlur(picture(160, 160), (0, 0), 6)
    box = np.array([70, 60, side, side], np.float32)
    middle = (70 + (side - 1) / 2, 60 + (side - 1) / 2)
    level = cv2.warpAffine(smooth, cv2.getRotationMatrix2D(middle, tilt, 1), (160, 160))
    found = square_crop(smooth, np.append(box, np.float32(tilt)))
    np.testing.assert_allclose(found.astype(float), square_crop(level, box), atol=2)


@given(sizes, sizes, st.sampled_from(["rgb", "bgr"]))
def test_pixels_are_the_input_before_scaling_in_whole_levels(
    source: tuple[int, int], target: tuple[int, int], colour: str
) -> None:
    how = facts(*target, colour=colour, mean=(0.0,) * 3, scale=(1.0,) * 3)
    image = picture(*source)
    out = np.empty((*target, 3), np.uint8)
    pixels = network_pixels(image, how, out)
    assert pixels.shape == (1, *target, 3)
    assert np.shares_memory(pixels, out)
    planar = pixels[..., :: -1 if colour == "rgb" else 1].transpose(0, 3, 1, 2)
    # Its weights have fewer digits for bytes than for floats.
    np.testing.assert_allclose(planar, network_input(image, how), atol=1.0)


@given(sizes, sizes)
def test_a_letterbox_keeps_the_aspect_and_is_black_beside_the_picture(
    source: tuple[int, int], target: tuple[int, int]
) -> None:
    how = facts(*target, mean=(0.0,) * 3, scale=(1.0,) * 3, resize="letterbox", colour="bgr")
    image = picture(*source)
    across, down = letterbox_size(source[1], source[0], how)
    assert across == target[1] or down == target[0]
    seen = network_input(image, how)[0]
    enlarged = across > source[1]
    expected = cv2.resize(
        image.astype(np.float32),
        (across, down),
        interpolation=cv2.INTER_LINEAR if enlarged else cv2.INTER_AREA,
    )
    np.testing.assert_allclose(seen[:, :down, :across], expected.transpose(2, 0, 1), atol=1e-3)
    assert not seen[:, down:].any()
    assert not seen[:, :, across:].any()


def test_a_reused_letterbox_is_black_where_the_last_picture_was() -> None:
    how = facts(32, 64, mean=(0.0,) * 3, scale=(1.0,) * 3, resize="letterbox")
    out = np.full((32, 64, 3), 9, np.uint8)
    network_pixels(np.full((40, 40, 3), 200, np.uint8), how, out)
    assert (out[:, :32] == 200).all()
    assert not out[:, 32:].any()


@given(sizes, sizes)
def test_the_extent_of_a_letterbox_maps_the_picture_onto_the_frame(
    source: tuple[int, int], target: tuple[int, int]
) -> None:
    how = facts(*target, resize="letterbox")
    across, down = letterbox_size(source[1], source[0], how)
    wide, high = seen_extent(source[1], source[0], how)
    assert wide * across / target[1] == pytest.approx(source[1])
    assert high * down / target[0] == pytest.approx(source[0])
