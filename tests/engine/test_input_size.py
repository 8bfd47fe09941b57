from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fer_edge.engine.errors import BadInput
from fer_edge.engine.input_size import MAX_SIDE, SMALLEST_FACE, FaceSize, InputSizes, parse_size
from fer_edge.engine.model import LEAST_SIDE, DetectorFacts, InputFacts
from fer_edge.engine.preprocess import letterbox_size

SEE = InputFacts("image", 256, 320, "rgb", "letterbox", (0.0,) * 3, (1.0,) * 3, step=32)
FACTS = DetectorFacts("boxes", "scores", 0, 0.0, 0.3, 100, least_face=12, largest_face=340)


def sizes(width: int, height: int, chosen: InputSizes | None = None) -> list[tuple[int, int]]:
    found = (chosen or InputSizes()).of(width, height, SEE, FACTS)
    return [(see.width, see.height) for see in found]


@pytest.mark.parametrize("size", [(320, 240), (640, 480), (1280, 960), (2560, 1920)])
def test_by_default_a_frame_of_four_to_three_is_seen_in_320x256(size: tuple[int, int]) -> None:
    assert sizes(*size) == [(320, 256)]


def test_a_wide_frame_has_a_wide_input_and_a_tall_one_a_tall_one() -> None:
    assert sizes(1920, 1080) == [(448, 256)]
    assert sizes(1080, 1920) == [(256, 448)]


@given(st.integers(1, 8000), st.integers(1, 8000), st.floats(0.5, 400))
def test_the_smallest_face_is_large_enough_in_the_first_input(
    width: int, height: int, least: float
) -> None:
    first = InputSizes(FaceSize(least)).of(width, height, SEE, FACTS)[0]
    assert first.width % 32 == first.height % 32 == 0
    assert min(first.width, first.height) >= LEAST_SIDE
    assert max(first.width, first.height) <= max(MAX_SIDE, LEAST_SIDE)
    across, _ = letterbox_size(width, height, first)
    wanted = min(FACTS.least_face / least, 2.0, MAX_SIDE / max(width, height))
    assert across + 1 >= wanted * width


def test_a_large_input_has_a_small_one_beside_it_for_close_ups() -> None:
    assert sizes(640, 480, InputSizes(FaceSize(2, percent=True))) == [(800, 608), (416, 320)]
    whole = replace(FACTS, largest_face=0.0)
    only = InputSizes(FaceSize(2, percent=True)).of(640, 480, SEE, whole)
    assert [(see.width, see.height) for see in only] == [(800, 608)]


def test_a_network_of_one_size_keeps_it() -> None:
    fixed = replace(SEE, step=0)
    assert InputSizes().of(1920, 1080, fixed, FACTS) == (fixed,)
    with pytest.raises(BadInput, match="takes 320x256 only"):
        InputSizes(fixed=(640, 480)).of(1920, 1080, fixed, FACTS)


def test_a_size_may_be_given() -> None:
    assert sizes(1920, 1080, InputSizes(fixed=(640, 384))) == [(640, 384)]
    for wrong in ((650, 384), (64, 64), (8192, 4096)):
        with pytest.raises(BadInput, match="input size"):
            sizes(640, 480, InputSizes(fixed=wrong))


def test_sizes_are_read_as_people_write_them() -> None:
    assert FaceSize.parse("24") == FaceSize.parse(" 24px ") == FaceSize(24)
    assert FaceSize.parse("5%") == SMALLEST_FACE
    assert SMALLEST_FACE.pixels(480) == 24
    assert parse_size("640x480") == (640, 480)


@pytest.mark.parametrize(
    "text", ["", "%", "0", "-3", "101%", "nan", "inf", "big", "3 4", "5px%", "1_0", "1e3"]
)
def test_other_face_sizes_are_refused(text: str) -> None:
    with pytest.raises(BadInput, match="face size"):
        FaceSize.parse(text)


@pytest.mark.parametrize("text", ["", "640", "640x", "axb", "1x2x3"])
def test_other_input_sizes_are_refused(text: str) -> None:
    with pytest.raises(BadInput, match="320x256"):
        parse_size(text)


@given(st.floats(0.1, 100), st.booleans())
def test_a_size_is_read_as_it_is_written(value: float, percent: bool) -> None:
    size = FaceSize(float(f"{value:g}"), percent)
    assert FaceSize.parse(str(size)) == size


def test_options_that_change_nothing_are_refused() -> None:
    fixed = replace(SEE, step=0)
    InputSizes().check(None)
    InputSizes().check(fixed)
    InputSizes(FaceSize(24)).check(SEE)
    InputSizes(fixed=(640, 384)).check(SEE)
    for sizes_, see, words in (
        (InputSizes(FaceSize(24)), None, "--min-face changes nothing"),
        (InputSizes(fixed=(320, 256)), None, "--detect-size changes nothing"),
        (InputSizes(FaceSize(24)), fixed, "sees all frames in 320x256"),
        (InputSizes(fixed=(650, 384)), SEE, "steps of 32"),
        (InputSizes(fixed=(640, 384)), fixed, "takes 320x256 only"),
    ):
        with pytest.raises(BadInput, match=words):
            sizes_.check(see)
