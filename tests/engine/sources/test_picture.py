"""Decoded frames as pictures: which way up, in which colours."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
from av.video.reformatter import VideoReformatter
from hypothesis import given
from hypothesis import strategies as st

from fer_edge.engine.sources import open_reader
from fer_edge.engine.sources.picture import picture_of, square_size, upright

from .films import write_film

QUARTERS = [(1, 0, 0, 1), (0, 1, -1, 0), (-1, 0, 0, -1), (0, -1, 1, 0)]


@pytest.mark.parametrize("mirrored", [1, -1])
@pytest.mark.parametrize("quarter", QUARTERS)
def test_every_pixel_goes_where_the_matrix_says(quarter, mirrored: int) -> None:
    a, b, c, d = (value * 65536 for value in quarter)
    matrix = (mirrored * a, mirrored * b, 0, c, d, 0, 0, 0, 1 << 30)
    image = np.arange(5 * 3 * 3, dtype=np.uint8).reshape(5, 3, 3)
    shown = upright(image, matrix)
    places = {}
    for q, p in np.ndindex(5, 3):
        x = (matrix[0] * p + matrix[3] * q) // 65536
        y = (matrix[1] * p + matrix[4] * q) // 65536
        places[x, y] = image[q, p]
    left, top = min(x for x, _ in places), min(y for _, y in places)
    assert len(places) * 3 == shown.size
    for (x, y), pixel in places.items():
        assert (shown[y - top, x - left] == pixel).all()


@pytest.mark.parametrize("mirrored", [False, True])
@pytest.mark.parametrize("degrees", [0, 90, 180, 270])
def test_a_telephone_s_film_is_seen_as_it_was_held(
    degrees: int, mirrored: bool, tmp_path: Path
) -> None:
    image = np.zeros((48, 64, 3), np.uint8)
    image[:24, :32] = 250  # its left upper quarter
    options = {"qp": "4"}
    rotation = (degrees, mirrored, False)
    path = write_film(
        tmp_path / "film.mp4", [0], images=[image], options=options, rotation=rotation
    )
    frame = open_reader(str(path)).read()
    # FFmpeg counts degrees against the clock, and mirrors what is turned.
    expected = np.rot90(image, degrees // 90)[:, :: -1 if mirrored else 1]
    assert frame.image.shape == expected.shape
    assert np.abs(frame.image - expected.astype(int)).mean() < 4


@given(
    st.integers(1, 4000),
    st.integers(1, 4000),
    st.none() | st.fractions(0, 1000, max_denominator=1000),
)
def test_square_pixels_lose_none(width: int, height: int, aspect: Fraction | None) -> None:
    wide, high = square_size(width, height, aspect)
    assert wide >= width
    assert high >= height
    assert wide * high <= 4 * width * height + width + height
    if aspect and Fraction(1, 4) <= aspect <= 4:
        ratio = wide / width / (high / height)
        assert ratio == pytest.approx(float(aspect), rel=1 / min(width, height))


def test_colours_are_those_that_the_film_says(tmp_path: Path) -> None:
    """BT.709, as high definition has it, and full range."""
    bgr = np.full((48, 64, 3), (40, 80, 200), np.uint8)
    source = av.VideoFrame.from_ndarray(bgr, "bgr24")
    for space, full in ((1, False), (5, False), (1, True)):
        frame = VideoReformatter().reformat(
            source, 64, 48, "yuv420p", 5, space, dst_color_range=2 if full else 1
        )
        frame.colorspace, frame.color_range = space, 2 if full else 1
        seen = picture_of(frame, None, VideoReformatter())
        assert np.abs(seen - bgr.astype(int)).max() <= 3


def test_colours_stay_under_transparency(tmp_path: Path) -> None:
    image = np.random.default_rng(0).integers(0, 256, (48, 64, 4), np.uint8)
    seen = picture_of(av.VideoFrame.from_ndarray(image, "bgra"), None, VideoReformatter())
    assert (seen == image[..., :3]).all()


@pytest.mark.parametrize("width", [1, 7, 33, 64])
def test_lines_with_padding_are_read_without_it(width: int) -> None:
    image = np.random.default_rng(0).integers(0, 256, (5, width, 3), np.uint8)
    frame = av.VideoFrame.from_ndarray(image, "bgr24")
    seen = picture_of(frame, None, VideoReformatter())
    assert (seen == image).all()
    assert seen.flags.c_contiguous
