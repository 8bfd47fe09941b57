"""How a head is held, told from five points of its face.

The nose stands out of the plane through the eyes and the mouth, so that it points to where the
face looks, and the eyes' line is the head's tilt. With orthographic projection and a head whose
proportions are the mean ones, the three angles follow exactly (see `head_pose`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import acos, asin, atan2, copysign, degrees, dist, isfinite, sqrt

# Of the mean head: how far the nose stands out of the plane of eyes and mouth, in distances
# between the eyes, and how far down it is from the eyes to the mouth when the head is upright.
# Fitted to 3,437 faces of FER2013 with YuNet's points, 1,256 with CenterFace's (0.52 and 0.56, 0.50
# and 0.57): the eyes come together as the nose goes to the side, and the median head is upright.
PROTRUSION = 0.51
NOSE_DOWN = 0.56
# Distances smaller than this share of the largest are none: what is told of them is noise.
_LEAST_SHARE = 1e-3


@dataclass(frozen=True)
class HeadPose:
    """How a head is held, in degrees; all are 0 for one that looks into the camera.

    Attributes:
        roll: tilt of the eyes' line, -180 to 180, clockwise as one sees the picture.
        yaw: -90 to 90; positive when the face is turned to the right as one sees the picture.
        pitch: -90 to 90; positive when the face looks up.
    """

    roll: float
    yaw: float
    pitch: float


def head_pose(points: Sequence[Sequence[float]]) -> HeadPose | None:
    """Tell the pose from five landmarks.

    Roll is exact. Yaw and pitch are rough: a head that is built otherwise than the mean one
    shifts them, an open mouth the pitch. Of drawn heads whose proportions spread by 6 % (one
    standard deviation), turned by up to 60 degrees both ways and seen from twelve distances
    between the eyes, yaw was off by 2 degrees and pitch by 5 in the mean, by 5 and 12 at the 95th
    percentile. What the landmarks themselves are off by comes on top.

    Args:
        points: `(x, y)`, y downwards: left eye as seen, right eye, nose, left and right corner
            of the mouth, as in `Detections.landmarks`.

    Returns:
        None where points coincide, or are not finite, so that there is nothing to be told.
    """
    left, right, nose, mouth_left, mouth_right = points
    eyes = _between(left, right)
    mouth = _between(mouth_left, mouth_right)
    apart = dist(left, right)
    largest = max(apart, *(dist(eyes, point) for point in (nose, mouth_left, mouth_right)))
    least = _LEAST_SHARE * largest
    # Written so that NaN fails.
    if not (isfinite(largest) and apart > least and dist(eyes, mouth) > least):
        return None
    # Of the eyes' line.
    c, s = (right[0] - left[0]) / apart, (right[1] - left[1]) / apart
    x, y = (nose[axis] - eyes[axis] - NOSE_DOWN * (mouth[axis] - eyes[axis]) for axis in (0, 1))
    across, down = c * x + s * y, c * y - s * x
    return HeadPose(degrees(atan2(s, c)), *_yaw_and_pitch(across / apart, down / apart))


def _yaw_and_pitch(across: float, down: float) -> tuple[float, float]:
    """Angles in degrees from how far the nose stands out, in distances between the eyes.

    Turned by yaw a and pitch b, the nose stands out by `sin(a) cos(b)` to the right and `sin(b)`
    upwards, and the eyes are `cos(a)` as far apart, so that of a mean head one sees
    `u = tan(a) cos(b)` and `v = sin(b) / cos(a)`. `cos(a)**2` is a root of a quadratic equation.
    """
    u, v = across / PROTRUSION, -down / PROTRUSION
    total = 1 + u * u + v * v
    # total**2 - 4 * v**2, without a difference of large numbers.
    root = sqrt(((1 + v) ** 2 + u * u) * ((1 - v) ** 2 + u * u))
    cosine = sqrt(min(1.0, 2 / (total + root)))
    pitch = asin(max(-1.0, min(1.0, v * cosine)))
    return degrees(copysign(acos(cosine), u)), degrees(pitch)


def _between(a: Sequence[float], b: Sequence[float]) -> tuple[float, float]:
    return (a[0] + b[0]) / 2, (a[1] + b[1]) / 2
