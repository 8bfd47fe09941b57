from __future__ import annotations

from dataclasses import replace

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from fer_edge.engine.draw import COLOURS, annotate, caption
from fer_edge.engine.types import Face, Frame, FrameResult, Points, Track


def face(box: tuple[float, float, float, float], probabilities: dict[str, float] | None = None):
    return Face(Track(1, box, 0.9, "tracked"), probabilities or {})


def test_a_face_of_which_the_model_is_unsure_says_so() -> None:
    known = face((0, 0, 9, 9), {"happy": 0.4, "sad": 0.6})
    assert caption(known) == "1 sad 60%"
    assert caption(replace(known, unsure="confidence")) == "1 unsure"
    assert caption(replace(known, probabilities={})) == "1"


def seen(image: np.ndarray, *faces: Face) -> FrameResult:
    return FrameResult(Frame(image, 0, 0.0), faces, np.zeros((0, 4), np.float32))


@given(st.tuples(*[st.floats(-300, 300)] * 2, *[st.floats(0, 300)] * 2), st.booleans())
def test_any_box_can_be_drawn_and_the_frame_is_untouched(box, blur: bool) -> None:
    image = np.random.default_rng(0).integers(0, 256, (120, 160, 3), np.uint8)
    before = image.copy()
    picture = annotate(seen(image, face(box, {"happy": 1.0})), blur)
    assert picture.shape == image.shape
    assert (image == before).all()


def test_blur_leaves_at_most_six_by_six_cells_of_the_face() -> None:
    image = np.random.default_rng(0).integers(0, 256, (200, 200, 3), np.uint8)
    hidden = annotate(seen(image, face((60, 60, 64, 64))), blur=True)
    inside = hidden[70:118, 70:118].reshape(-1, 3)
    assert len(np.unique(inside, axis=0)) <= 36
    assert (hidden[160:, 160:] == image[160:, 160:]).all()


def test_what_was_found_is_hidden_before_it_is_followed() -> None:
    image = np.random.default_rng(0).integers(0, 256, (200, 200, 3), np.uint8)
    result = FrameResult(Frame(image, 0, 0.0), (), np.float32([[60, 60, 64, 64]]))
    hidden = annotate(result, blur=True)
    assert len(np.unique(hidden[70:118, 70:118].reshape(-1, 3), axis=0)) <= 36
    assert (hidden[160:, 160:] == image[160:, 160:]).all()


def test_a_frame_that_no_detector_looked_at_is_hidden_as_a_whole() -> None:
    image = np.random.default_rng(0).integers(0, 256, (200, 200, 3), np.uint8)
    hidden = annotate(FrameResult(Frame(image, 0, 0.0), ()), blur=True)
    assert len(np.unique(hidden.reshape(-1, 3), axis=0)) <= 36


MARKS = ((70.0, 70.0), (110.0, 70.0), (90.0, 90.0), (75.0, 110.0), (105.0, 110.0))


def test_landmarks_are_dots_in_the_colour_of_their_face() -> None:
    gray = np.full((200, 200, 3), 128, np.uint8)
    marked = Face(Track(1, (50, 50, 80, 80), 0.9, "tracked", MARKS), {})
    plain = annotate(seen(gray, marked))
    dotted = annotate(seen(gray, marked), landmarks=True)
    changed = np.argwhere((plain != dotted).any(axis=2))
    nearest = np.linalg.norm(changed[:, None, ::-1] - np.array(MARKS), axis=2).min(axis=1)
    assert nearest.max() < 5
    for x, y in MARKS:
        assert tuple(dotted[round(y), round(x)]) == COLOURS[1]


def test_a_hidden_face_has_no_dots() -> None:
    image = np.random.default_rng(0).integers(0, 256, (200, 200, 3), np.uint8)
    marked = Face(Track(1, (50, 50, 80, 80), 0.9, "tracked", MARKS), {})
    hidden = annotate(seen(image, marked), blur=True, landmarks=True)
    assert np.array_equal(hidden, annotate(seen(image, marked), blur=True))


@given(st.tuples(*[st.tuples(st.floats(-1e9, 1e9), st.floats(-1e9, 1e9))] * 5))
def test_landmarks_anywhere_can_be_drawn(points: Points) -> None:
    image = np.zeros((120, 160, 3), np.uint8)
    marked = Face(Track(1, (5, 5, 30, 30), 0.9, "tracked", points), {})
    assert annotate(seen(image, marked), landmarks=True).shape == image.shape


def test_the_caption_names_id_and_expression() -> None:
    assert caption(face((0, 0, 1, 1), {"happy": 0.8, "sad": 0.2})) == "1 happy 80%"
    assert caption(face((0, 0, 1, 1))) == "1"
