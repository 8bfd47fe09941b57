"""The pose of a head, held against heads in three dimensions."""

from __future__ import annotations

from math import cos, isfinite, radians, sin

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fer_edge.engine.head_pose import NOSE_DOWN, PROTRUSION, head_pose
from fer_edge.engine.types import Face, Track

# From the eyes to the mouth, and half the mouth's width, in distances between the eyes.
TALL, HALF_MOUTH = 0.96, 0.4
# x to the right and y down as one sees it, z away from who sees it; in distances between eyes.
MEAN_HEAD = np.array(
    [
        [-0.5, 0.0, 0.0],
        [0.5, 0.0, 0.0],
        [0.0, NOSE_DOWN * TALL, -PROTRUSION],
        [-HALF_MOUTH, TALL, 0.0],
        [HALF_MOUTH, TALL, 0.0],
    ]
)
FACING = ((0, 0), (40, 0), (20, 22), (6, 40), (34, 40))
# Distances between the eyes that it is seen from, where perspective counts: some 80 cm.
NEAR = 12.0

yaws = pitches = st.floats(-80, 80)


def turned(roll: float, yaw: float, pitch: float) -> np.ndarray:
    """A rotation `(3, 3)`: first the pitch, then the yaw, then the roll, in degrees."""
    # A face that looks up has its nose up, one that is turned to the right to the right.
    a, b, c = radians(roll), radians(-yaw), radians(-pitch)
    about_z = np.array([[cos(a), -sin(a), 0], [sin(a), cos(a), 0], [0, 0, 1]])
    about_y = np.array([[cos(b), 0, sin(b)], [0, 1, 0], [-sin(b), 0, cos(b)]])
    about_x = np.array([[1, 0, 0], [0, cos(c), -sin(c)], [0, sin(c), cos(c)]])
    return about_z @ about_y @ about_x


def projected(head: np.ndarray, roll: float, yaw: float, pitch: float, far: float = np.inf):
    """Five points in the picture, `(5, 2)`; `far` is the distance of the camera."""
    points = head @ turned(roll, yaw, pitch).T
    return points[:, :2] / (1 + points[:, 2:] / far)


@given(st.floats(-179, 179), yaws, pitches, st.floats(1, 500), st.floats(-900, 900))
def test_the_pose_of_a_mean_head_is_exact(
    roll: float, yaw: float, pitch: float, scale: float, away: float
) -> None:
    pose = head_pose(scale * projected(MEAN_HEAD, roll, yaw, pitch) + away)
    assert pose is not None
    assert (pose.roll, pose.yaw, pose.pitch) == pytest.approx((roll, yaw, pitch), abs=1e-3)


def test_the_signs_are_those_of_the_description() -> None:
    facing = head_pose(FACING)
    assert facing is not None
    assert (facing.roll, facing.yaw) == (0, 0)
    assert abs(facing.pitch) < 2
    # The right eye lower: clockwise.
    tilted = head_pose([(0, 0), (40, 10), (15, 27), (0, 40), (28, 47)])
    right = head_pose([(0, 0), (40, 0), (30, 22), (6, 40), (34, 40)])
    up = head_pose([(0, 0), (40, 0), (20, 12), (6, 40), (34, 40)])
    assert tilted is not None
    assert right is not None
    assert up is not None
    assert tilted.roll == pytest.approx(14.04, abs=0.01)
    assert right.yaw > 20
    assert up.pitch > 20


def heads(count: int) -> list[np.ndarray]:
    """Heads whose proportions spread by 6 %, one standard deviation."""
    rng = np.random.default_rng(0)
    made = []
    for _ in range(count):
        tall, nose, out, mouth = rng.normal(1, 0.06, 4)
        head = MEAN_HEAD.copy()
        head[2] *= 1, nose, out
        head[3:, 0] *= mouth
        head[3:, 1] *= tall
        made.append(head)
    return made


@pytest.mark.parametrize(("widest", "yaw_off"), [(20, 3), (40, 4.5), (60, 5.5)])
def test_heads_of_many_kinds_seen_from_nearby(widest: float, yaw_off: float) -> None:
    """The figures of `head_pose`'s docstring."""
    rng = np.random.default_rng(1)
    errors = []
    for head in heads(1000):
        roll, yaw, pitch = rng.uniform(-45, 45), *rng.uniform(-widest, widest, 2)
        pose = head_pose(projected(head, roll, yaw, pitch, NEAR))
        assert pose is not None
        errors.append([pose.roll - roll, pose.yaw - yaw, pose.pitch - pitch])
    mean = np.abs(errors).mean(axis=0)
    most = np.quantile(np.abs(errors), 0.95, axis=0)
    assert mean[0] < 1e-9
    assert mean[1] < 2.2
    assert mean[2] < 5.2
    assert most[1] < yaw_off
    assert most[2] < 12.5


coordinates = st.floats() | st.sampled_from([0.0, 1.0, 2.0])
points = st.tuples(coordinates, coordinates)


@given(st.tuples(points, points, points, points, points))
def test_five_points_give_finite_angles_or_none(five: tuple[tuple[float, float], ...]) -> None:
    pose = head_pose(five)
    if pose is not None:
        assert all(isfinite(angle) for angle in (pose.roll, pose.yaw, pose.pitch))
        assert abs(pose.roll) <= 180
        assert max(abs(pose.yaw), abs(pose.pitch)) <= 90


@pytest.mark.parametrize("same", [(0, 1), (0, 1, 2, 3, 4), (0, 1, 3, 4)])
def test_points_that_coincide_tell_nothing(same: tuple[int, ...]) -> None:
    five = [(7.0, 7.0) if index in same else point for index, point in enumerate(FACING)]
    assert head_pose(five) is None


def test_a_track_and_its_face_know_the_pose() -> None:
    track = Track(1, (0, 0, 60, 60), 0.9, "tracked", FACING)
    assert track.pose == head_pose(FACING)
    assert Face(track, {}).pose == track.pose
    assert Track(1, (0, 0, 60, 60), 0.9, "tracked").pose is None
