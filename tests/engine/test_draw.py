from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from fer_edge.engine.draw import annotate, caption
from fer_edge.engine.types import Face, Track


def face(box: tuple[float, float, float, float], probabilities: dict[str, float] | None = None):
    return Face(Track(1, box, 0.9, "tracked"), probabilities or {})


@given(st.tuples(*[st.floats(-300, 300)] * 2, *[st.floats(0, 300)] * 2), st.booleans())
def test_any_box_can_be_drawn_and_the_frame_is_untouched(box, blur: bool) -> None:
    image = np.random.default_rng(0).integers(0, 256, (120, 160, 3), np.uint8)
    before = image.copy()
    picture = annotate(image, [face(box, {"happy": 1.0})], blur)
    assert picture.shape == image.shape
    assert (image == before).all()


def test_blur_leaves_at_most_six_by_six_cells_of_the_face() -> None:
    image = np.random.default_rng(0).integers(0, 256, (200, 200, 3), np.uint8)
    hidden = annotate(image, [face((60, 60, 64, 64))], blur=True)
    inside = hidden[70:118, 70:118].reshape(-1, 3)
    assert len(np.unique(inside, axis=0)) <= 36
    assert (hidden[160:, 160:] == image[160:, 160:]).all()


def test_the_caption_names_id_and_expression() -> None:
    assert caption(face((0, 0, 1, 1), {"happy": 0.8, "sad": 0.2})) == "1 happy 80%"
    assert caption(face((0, 0, 1, 1))) == "1"
