"""Sub-pixel position, size and tilt of all faces by inverse compositional alignment.

S. Baker, I. Matthews: "Lucas-Kanade 20 Years On: A Unifying Framework", IJCV 2004, section 3.2,
for similarity transforms with gain and bias (part 3, 2003): what can be computed of the template
alone is computed once. A face is compared block by block, and blocks that the template explains
badly, such as a hand before the face, are trusted less (robust weights, part 2, 2003, section 4).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from ..types import Floats, Image
from .poses import Steps

Reals = npt.NDArray[np.float64]

# Blocks along a side of a patch.
BLOCKS = 4
# How far one step may go: template pixels, relative growth, radians. The approximation by
# gradients does not hold farther out.
LIMITS = np.array([2.0, 2.0, 0.08, 0.12])
# Of x, y, growth, turn, gain and bias.
_UNKNOWNS = 6
# Residuals that many times the median cost a block half of its trust.
_TOLERANCE = 3.0
# Squared grey levels that noise and rounding may make, whatever the median says.
_FLOOR = 12.0


@dataclass(frozen=True)
class Alignment:
    """What a patch says of its face's place.

    Attributes:
        steps: float64 `(n, 4)`, from the pose of the patch to that of the face.
        likeness: float64 `(n,)`, 0-1: correlation of what is trusted with the template.
        covered: float64 `(n,)`, 0-1: share of the face that is trusted.
    """

    steps: Steps
    likeness: Reals
    covered: Reals


class Templates:
    """What each face looks like, a row a face.

    Args:
        side: of the patches in pixels, a multiple of `BLOCKS`; the faces are in their middle.
    """

    def __init__(self, side: int) -> None:
        self._side = side
        place = np.arange(side, dtype=np.float32) - (side - 1) / 2
        self._across, self._down = np.meshgrid(place, place)
        pixels = (side // BLOCKS) ** 2
        count = BLOCKS * BLOCKS
        self._patches: Floats = np.empty((0, side, side), np.float32)
        self._weights: Floats = np.empty((0, side, side), np.float32)
        # What a block of a patch is multiplied by, and its weights, squares to be weighed.
        self._matrices: Floats = np.empty((0, count, _UNKNOWNS, pixels), np.float32)
        self._block_weights: Floats = np.empty((0, count, pixels), np.float32)
        # Normal equations of each block.
        self._normal: Reals = np.empty((0, count, _UNKNOWNS, _UNKNOWNS))
        self._trust: Reals = np.empty((0, count))

    def add(self, patches: Image, sizes: Reals) -> None:
        """Append a template for each patch.

        Args:
            patches: uint8 `(n, side, side)`.
            sizes: `(n, 2)`: width and height of the face in template pixels.
        """
        # Inside an ellipse, so that the background at a box's corners does not hold the face.
        half = np.maximum(sizes, 1.0)[:, :, None, None].astype(np.float32) / 2
        radius = np.hypot(self._across / half[:, 0], self._down / half[:, 1])
        weights = np.clip((1.1 - radius) / 0.3, 0, 1)
        weights /= weights.sum(axis=(1, 2), keepdims=True)
        self._weights = np.concatenate([self._weights, weights])
        self._patches = np.concatenate([self._patches, patches.astype(np.float32)])
        self._block_weights = np.concatenate([self._block_weights, _blocks(weights)])
        self._trust = np.concatenate([self._trust, np.ones((len(patches), BLOCKS * BLOCKS))])
        self._prepare(slice(len(self._matrices), None))

    def keep(self, rows: npt.NDArray[np.intp]) -> None:
        """Keep the templates of these rows, in their order, and forget the others."""
        for name in ("patches", "weights", "matrices", "block_weights", "normal", "trust"):
            setattr(self, f"_{name}", getattr(self, f"_{name}")[rows])

    def learn(self, patches: Image, rates: Floats) -> None:
        """Let each template take in its patch.

        Args:
            patches: uint8 `(n, side, side)`, each aligned with its template.
            rates: float32 `(n,)`, 0-1: share of the new patch.
        """
        self._patches += rates[:, None, None] * (patches - self._patches)
        self._prepare(slice(0, None))

    def align(self, patches: Image) -> Alignment:
        """Compare each patch, uint8 `(n, side, side)`, with its template."""
        values = _blocks(patches.astype(np.float32))
        products = np.matmul(self._matrices, values[..., None])[..., 0].astype(np.float64)
        np.square(values, out=values)
        squares = np.einsum("nbp,nbp->nb", values, self._block_weights).astype(np.float64)
        weights = self._normal[:, :, 5, 5]
        for _ in range(2):
            answer = self._solve(products)
            fitted = np.einsum("nbij,ni,nj->nb", self._normal, answer, answer)
            residuals = squares - 2 * np.einsum("nbi,ni->nb", products, answer) + fitted
            self._reweigh(residuals / np.maximum(weights, 1e-9), weights)
        answer = self._solve(products)
        gain, bias = answer[:, 4], answer[:, 5:]
        around = squares - 2 * bias * products[:, :, 5] + bias**2 * weights
        power = np.maximum((self._trust * around).sum(axis=1), 1e-6)
        unexplained = (self._trust * np.maximum(residuals, 0)).sum(axis=1) / power
        likeness = np.sqrt(np.clip(1 - unexplained, 0, 1)) * (gain > 0)
        slopes = answer[:, :4] / np.maximum(gain, 0.1)[:, None]
        return Alignment(
            np.clip(-slopes, -LIMITS, LIMITS), likeness, (self._trust * weights).sum(axis=1)
        )

    def _solve(self, products: Reals) -> Reals:
        """Weighted least squares over the blocks: `(n, 6)`."""
        normal = np.einsum("nb,nbij->nij", self._trust, self._normal)
        # A face without structure in some direction is not moved along it.
        diagonal = np.einsum("nii->ni", normal)
        diagonal += 1e-3 * diagonal + 1e-9
        right = np.einsum("nb,nbi->ni", self._trust, products)
        return np.linalg.solve(normal, right[..., None])[..., 0]

    def _reweigh(self, residuals: Reals, weights: Reals) -> None:
        """Trust blocks by their residuals a pixel, those without weight not at all."""
        known = np.where(weights > 1e-3, np.maximum(residuals, 0), np.nan)
        usual = np.nanmedian(known, axis=1, keepdims=True) + _FLOOR
        self._trust = np.where(
            weights > 1e-3, 1 / (1 + (np.nan_to_num(known) / (_TOLERANCE * usual)) ** 2), 0.0
        )

    def _prepare(self, rows: slice) -> None:
        """Compute what depends on the templates alone."""
        picture = self._patches[rows]
        dx, dy = np.zeros_like(picture), np.zeros_like(picture)
        dx[:, :, 1:-1] = (picture[:, :, 2:] - picture[:, :, :-2]) / 2
        dy[:, 1:-1] = (picture[:, 2:] - picture[:, :-2]) / 2
        growth, turn = dx * self._across + dy * self._down, dy * self._across - dx * self._down
        functions = np.stack(
            [*map(_blocks, (dx, dy, growth, turn, picture)), np.ones_like(_blocks(picture))], axis=2
        )
        matrices = functions * self._block_weights[rows][:, :, None]
        normal = np.matmul(matrices, functions.transpose(0, 1, 3, 2)).astype(np.float64)
        kept = rows.start
        self._matrices = np.concatenate([self._matrices[:kept], matrices])
        self._normal = np.concatenate([self._normal[:kept], normal])


def _blocks(pictures: Floats) -> Floats:
    """`(n, side, side)` as `(n, blocks, pixels)`, row by row."""
    count, side = pictures.shape[:2]
    part = side // BLOCKS
    split = pictures.reshape(count, BLOCKS, part, BLOCKS, part).transpose(0, 1, 3, 2, 4)
    return split.reshape(count, BLOCKS * BLOCKS, part * part)
