from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fer_edge.engine.crops import DEFAULT_SCALE, LEVEL_FROM, face_crops
from fer_edge.engine.errors import BadInput
from fer_edge.engine.model import FaceFrame

places = st.floats(-200, 2000)
sides = st.floats(8, 500)
frames = st.builds(
    FaceFrame, st.floats(0.5, 1.5), st.floats(0.5, 1.5), st.floats(-0.3, 0.3), st.floats(-0.3, 0.3)
)


def as_boxes(*rows: tuple[float, ...]) -> np.ndarray:
    return np.array(rows, np.float32).reshape(-1, 4)


@given(places, places, sides, frames)
def test_a_box_as_measured_gives_the_picture_back(
    x: float, y: float, side: float, frame: FaceFrame
) -> None:
    width, height = frame.width * side, frame.height * side
    left = x + side / 2 + frame.right * side - width / 2
    top = y + side / 2 + frame.down * side - height / 2
    (crop,) = face_crops(as_boxes((left, top, width, height)), None, frame)
    np.testing.assert_allclose(crop, (x, y, side, side, 0), atol=2e-3)


@given(places, places, sides, sides, st.floats(0.5, 4), frames)
def test_a_scale_of_the_model_counts_more_than_the_detector(
    x: float, y: float, width: float, height: float, scale: float, frame: FaceFrame
) -> None:
    (crop,) = face_crops(as_boxes((x, y, width, height)), scale, frame)
    side = scale * max(width, height)
    expected = (x + width / 2 - side / 2, y + height / 2 - side / 2, side, side, 0)
    np.testing.assert_allclose(crop, expected, rtol=1e-5, atol=2e-3)


def test_nothing_known_is_a_little_more_than_the_box() -> None:
    boxes = as_boxes((10, 20, 30, 40), (0, 0, 8, 4))
    np.testing.assert_array_equal(
        face_crops(boxes, None, None), face_crops(boxes, DEFAULT_SCALE, None)
    )
    assert face_crops(boxes[:0], None, None).shape == (0, 5)
    assert face_crops(boxes[:0], None, FaceFrame(1, 1)).shape == (0, 5)


@given(st.floats(-179, 179), places, places, st.floats(5, 300))
def test_eyes_are_levelled_within_what_models_know(
    roll: float, x: float, y: float, apart: float
) -> None:
    way = np.array([np.cos(np.radians(roll)), np.sin(np.radians(roll))])
    landmarks = np.full((2, 5, 2), np.nan, np.float32)
    landmarks[0, 0], landmarks[0, 1] = (x, y), np.array([x, y]) + apart * way
    crops = face_crops(as_boxes((0, 0, 9, 9), (0, 0, 9, 9)), None, None, landmarks)
    left = roll - crops[0, 4]
    assert abs(left) == pytest.approx(min(abs(roll), LEVEL_FROM), abs=0.1)
    assert abs(roll) < LEVEL_FROM or left * roll > 0
    # Nothing is known of the other.
    assert crops[1, 4] == 0


@given(frames)
def test_a_frame_is_read_as_it_is_written(frame: FaceFrame) -> None:
    again = FaceFrame.parse(str(frame))
    np.testing.assert_allclose(
        (again.width, again.height, again.right, again.down),
        (frame.width, frame.height, frame.right, frame.down),
        rtol=1e-5,
    )


@pytest.mark.parametrize(
    "text", ["", "1,1", "1,1,0,0,0", "a,1,0,0", "0,1,0,0", "1,nan,0,0", "1,1,2,0"]
)
def test_other_frames_are_refused(text: str) -> None:
    with pytest.raises(BadInput, match="face frame"):
        FaceFrame.parse(text)
