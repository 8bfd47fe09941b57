"""Sub-pixel position, size and tilt of all faces by inverse compositional alignment.

S. Baker, I. Matthews: "Lucas-Kanade 20 Years On: A Unifying Framework", IJCV 2004, section 3.2,
for similarity transforms: what can be computed of the template alone is computed once, and a
step is one product of a small matrix with the pixels of a patch. Brightness and contrast are
projected out, as in their part 3 (2003).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from ..types import Floats, Image
from .poses import Steps

# Rows of the matrix of a template: four of the step, the mean, the likeness.
_ROWS = 6
# How far one step may go: template pixels, relative growth, radians. The approximation by
# gradients does not hold farther out.
LIMITS = np.array([2.0, 2.0, 0.08, 0.12])


@dataclass(frozen=True)
class Alignment:
    """What a patch says of its face's place.

    Attributes:
        steps: float64 `(n, 4)`, from the pose of the patch to that of the face.
        likeness: float64 `(n,)`, -1 to 1: normalised cross-correlation with the template.
    """

    steps: Steps
    likeness: npt.NDArray[np.float64]


class Templates:
    """What each face looks like, a row a face.

    Args:
        side: of the patches in pixels; the faces are in their middle.
    """

    def __init__(self, side: int) -> None:
        self._side = side
        place = np.arange(side, dtype=np.float32) - (side - 1) / 2
        self._across, self._down = np.meshgrid(place, place)
        self._weights: Floats = np.empty((0, side * side), np.float32)
        self._patches: Floats = np.empty((0, side * side), np.float32)
        self._matrices: Floats = np.empty((0, _ROWS, side * side), np.float32)

    def add(self, patches: Image, sizes: npt.NDArray[np.float64]) -> None:
        """Append a template for each patch.

        Args:
            patches: uint8 `(n, side, side)`.
            sizes: `(n, 2)`: width and height of the face in template pixels.
        """
        # Inside an ellipse, so that the background at a box's corners does not hold the face.
        half = np.maximum(sizes, 1.0)[:, :, None, None].astype(np.float32) / 2
        radius = np.hypot(self._across / half[:, 0], self._down / half[:, 1])
        weights = np.clip((1.1 - radius) / 0.3, 0, 1).reshape(len(patches), -1)
        weights /= weights.sum(axis=1, keepdims=True)
        values = _normalised(patches.reshape(len(patches), -1).astype(np.float32), weights)
        self._weights = np.concatenate([self._weights, weights])
        self._patches = np.concatenate([self._patches, values])
        self._matrices = np.concatenate([self._matrices, self._matrix(values, weights)])

    def keep(self, rows: npt.NDArray[np.intp]) -> None:
        """Keep the templates of these rows, in their order, and forget the others."""
        self._weights = self._weights[rows]
        self._patches = self._patches[rows]
        self._matrices = self._matrices[rows]

    def learn(self, patches: Image, rates: Floats) -> None:
        """Let each template take in its patch.

        Args:
            patches: uint8 `(n, side, side)`, each aligned with its template.
            rates: float32 `(n,)`, 0-1: share of the new patch.
        """
        values = _normalised(patches.reshape(len(patches), -1).astype(np.float32), self._weights)
        self._patches += rates[:, None] * (values - self._patches)
        self._patches = _normalised(self._patches, self._weights)
        self._matrices = self._matrix(self._patches, self._weights)

    def align(self, patches: Image) -> Alignment:
        """Compare each patch, uint8 `(n, side, side)`, with its template."""
        values = patches.reshape(len(patches), -1).astype(np.float32)
        products = np.matmul(self._matrices, values[:, :, None])[:, :, 0].astype(np.float64)
        mean, inner = products[:, 4], products[:, 5]
        np.square(values, out=values)
        squares = np.matmul(self._weights[:, None], values[:, :, None])[:, 0, 0]
        deviation = np.sqrt(np.maximum(squares - mean**2, 1e-6))
        # The patch is `gain` times the template, and a little of its derivatives.
        gain = np.maximum(inner, 0.1 * deviation)[:, None]
        steps = np.clip(-products[:, :4] / gain, -LIMITS, LIMITS)
        return Alignment(steps, inner / deviation)

    def _matrix(self, patches: Floats, weights: Floats) -> Floats:
        """What a patch is multiplied by for its step, its mean and its likeness."""
        count, side = len(patches), self._side
        picture = patches.reshape(count, side, side)
        dx, dy = np.zeros_like(picture), np.zeros_like(picture)
        dx[:, :, 1:-1] = (picture[:, :, 2:] - picture[:, :, :-2]) / 2
        dy[:, 1:-1] = (picture[:, 2:] - picture[:, :-2]) / 2
        turn, growth = dy * self._across - dx * self._down, dx * self._across + dy * self._down
        steepest = np.stack([dx, dy, growth, turn], axis=1).reshape(count, 4, -1)
        # Neither brightness nor contrast may look like motion.
        weighted = weights[:, None] * steepest
        steepest -= weighted.sum(axis=2, keepdims=True)
        steepest -= np.matmul(weighted, patches[:, :, None]) * patches[:, None]
        weighted = weights[:, None] * steepest
        hessian = np.matmul(weighted, steepest.transpose(0, 2, 1)).astype(np.float64)
        # A face without structure in some direction is not moved along it.
        diagonal = np.einsum("nii->ni", hessian)
        diagonal += 1e-3 * diagonal + 1e-9
        inverse = np.linalg.inv(hessian).astype(np.float32)
        return np.concatenate(
            [
                np.matmul(inverse, weighted),
                weights[:, None],
                (weights * patches)[:, None],
            ],
            axis=1,
        )


def _normalised(values: Floats, weights: Floats) -> Floats:
    """Rows of weighted mean 0 and weighted variance 1."""
    values = values - (weights * values).sum(axis=1, keepdims=True)
    power = (weights * np.square(values)).sum(axis=1, keepdims=True)
    return values / np.sqrt(np.maximum(power, 1e-6))
