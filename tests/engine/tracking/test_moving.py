from __future__ import annotations

from math import cos, hypot, pi, sin

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from fer_edge.engine.tracking.base import Box, Place
from fer_edge.engine.tracking.moving import Landmarks, brought_forward
from fer_edge.engine.types import Points

sides = st.floats(5, 100)
coordinates = st.floats(-50, 500)
angles = st.floats(-pi, pi)
boxes = st.tuples(coordinates, coordinates, sides, sides)
places = st.builds(Place, boxes, angles)
five = st.tuples(*[st.tuples(coordinates, coordinates)] * 5)


class Similarity:
    """Turns, grows and moves points and places of a frame."""

    def __init__(self, dx: float, dy: float, growth: float, turn: float) -> None:
        self._shift, self._growth, self._turn = (dx, dy), growth, turn

    def point(self, x: float, y: float) -> tuple[float, float]:
        c, s = self._growth * cos(self._turn), self._growth * sin(self._turn)
        return c * x - s * y + self._shift[0], s * x + c * y + self._shift[1]

    def points(self, points: Points) -> Points:
        return tuple(self.point(x, y) for x, y in points)

    def box(self, box: Box) -> Box:
        """As large as the moved one, at its place, and upright."""
        x, y, w, h = box
        middle = self.point(x + w / 2, y + h / 2)
        w, h = self._growth * w, self._growth * h
        return middle[0] - w / 2, middle[1] - h / 2, w, h

    def place(self, place: Place) -> Place:
        return Place(self.box(place.box), place.angle + self._turn)


similarities = st.builds(Similarity, coordinates, coordinates, st.floats(0.3, 3), angles)


@given(places, five)
def test_landmarks_are_where_they_were_detected(place: Place, points: Points) -> None:
    kept = Landmarks.of(points, place.box, place.angle)
    np.testing.assert_allclose(kept.at(place), points, atol=1e-6)


@given(places, five, similarities)
def test_landmarks_go_through_all_that_their_face_goes_through(
    place: Place, points: Points, motion: Similarity
) -> None:
    kept = Landmarks.of(points, place.box, place.angle)
    np.testing.assert_allclose(kept.at(motion.place(place)), motion.points(points), atol=1e-6)


@given(boxes, places)
def test_a_box_that_was_the_track_s_becomes_the_track_s(box: Box, now: Place) -> None:
    forward = brought_forward(box, Place(box, 0.3), now)
    np.testing.assert_allclose(forward, now.box, atol=1e-6)


@given(boxes, places, coordinates, coordinates)
def test_boxes_move_with_a_track_that_keeps_its_size(
    box: Box, then: Place, dx: float, dy: float
) -> None:
    x, y, w, h = then.box
    now = Place((x + dx, y + dy, w, h), then.angle)
    expected = (box[0] + dx, box[1] + dy, *box[2:])
    np.testing.assert_allclose(brought_forward(box, then, now), expected, atol=1e-6)


@given(boxes, places, similarities)
def test_boxes_go_through_all_that_their_face_goes_through(
    box: Box, then: Place, motion: Similarity
) -> None:
    now = motion.place(then)
    np.testing.assert_allclose(brought_forward(box, then, now), motion.box(box), atol=1e-6)


@given(boxes, boxes)
def test_of_a_box_that_is_stretched_the_landmarks_stay_alike(box: Box, other: Box) -> None:
    """A detection's box may be of another shape than the one before; a face is not stretched."""
    x, y, w, h = box
    middle = x + w / 2, y + h / 2
    points = (middle, (middle[0] + w, middle[1]), (middle[0], middle[1] + w))
    a, b, c = Landmarks.of(points, box, 0.0).at(Place(other))
    across, down = (b[0] - a[0], b[1] - a[1]), (c[0] - a[0], c[1] - a[1])
    assert hypot(*across) > 0
    np.testing.assert_allclose((across[0], across[1]), (down[1], -down[0]), atol=1e-6)
