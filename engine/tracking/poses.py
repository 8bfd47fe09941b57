"""Where templates lie in a frame: position, size and tilt, a row a face."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

Poses = npt.NDArray[np.float64]
"""`(n, 4)`: x and y of the template's centre in pixels of the frame, frame pixels a template
pixel, and the angle in radians, clockwise as one sees the picture. A point `u` of a template,
in template pixels from its centre, lies at `centre + scale * R(angle) @ u` in the frame."""

Steps = npt.NDArray[np.float64]
"""`(n, 4)`: x and y in template pixels, relative growth, and turn in radians."""


def step(poses: Poses, steps: Steps) -> Poses:
    """The poses after each has moved by its step, given in its own template's coordinates."""
    x, y, scale, angle = poses.T
    across, down, growth, turn = steps.T
    c, s = scale * np.cos(angle), scale * np.sin(angle)
    return np.stack(
        [x + c * across - s * down, y + s * across + c * down, scale * (1 + growth), angle + turn],
        axis=1,
    )


def point(poses: Poses, points: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Points `(n, 2)` of the templates, in template pixels from their centres, in the frame."""
    x, y, scale, angle = poses.T
    across, down = points.T
    c, s = scale * np.cos(angle), scale * np.sin(angle)
    return np.stack([x + c * across - s * down, y + s * across + c * down], axis=1)


def place(poses: Poses, spots: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Spots `(n, 2)` of the frame as points of the templates: the inverse of `point`."""
    x, y, scale, angle = poses.T
    across, down = spots[:, 0] - x, spots[:, 1] - y
    c, s = np.cos(angle) / scale, np.sin(angle) / scale
    return np.stack([c * across + s * down, c * down - s * across], axis=1)
