"""Sub-pixel position, size and tilt of all faces by inverse compositional alignment.

S. Baker, I. Matthews: "Lucas-Kanade 20 Years On: A Unifying Framework", IJCV 2004, section 3.2,
for similarity transforms with gain and bias (part 3, 2003): what can be computed of the template
alone is computed once. A face is compared block by block, and blocks that the template explains
badly, such as a hand before the face, are trusted less (robust weights, part 2, 2003, section 4).
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from ..types import Floats, Image

Reals = npt.NDArray[np.float64]

# Blocks along a side of a patch: fine enough to tell what is covered of a face, of which about
# three lie side by side.
BLOCKS = 5
# How far one step may go: template pixels, relative growth, radians. The approximation by
# gradients does not hold farther out.
LIMITS = np.array([2.0, 2.0, 0.08, 0.12])
# Of x, y, growth, turn, gain and bias.
UNKNOWNS = 6
# Residuals that many times the median cost a block half of its trust.
_TOLERANCE = 3.0
# Squared grey levels that noise and rounding may make, whatever the median says.
_FLOOR = 12.0
# Contrast of a patch over that of its template, at least.
_LEAST_GAIN = 0.1
# Blocks with less of a face's weight are outside it.
_LEAST_SHARE = 1e-3
# A step is taken once more when trust has fallen by more of a face: something came before it.
_FALL = 0.02
_STEP = np.arange(4)
# What a patch must have of its face to be aligned with it and learnt. Faces that are followed
# through turns, blur and noise reach 0.98, and some smooth things pass for one at 0.93.
LEAST_LIKENESS, LEAST_TRUSTED = 0.95, 0.4


class Step(NamedTuple):
    """What a patch says of its face's place.

    Attributes:
        across, down: from the middle of the patch to that of the face, in template pixels.
        growth: of the face, relative to the template.
        turn: of the face, in radians.
        likeness: 0-1, correlation of what is trusted of the face with the template.
        trusted: 0-1, share of the face.
    """

    across: float
    down: float
    growth: float
    turn: float
    likeness: float
    trusted: float

    @property
    def alike(self) -> bool:
        """Whether the patch shows the face."""
        return self.likeness >= LEAST_LIKENESS and self.trusted >= LEAST_TRUSTED


class Equations:
    """What products of patches with their templates say, a row a face.

    `b`, in the shapes, are the blocks of a patch, row by row; `u` are x, y, growth, turn, gain
    and bias.
    """

    def __init__(self) -> None:
        # Normal equations of each block.
        self._normal: Reals = np.empty((0, BLOCKS**2, UNKNOWNS**2))
        self._trust: Reals = np.empty((0, BLOCKS**2))
        self._update_shares()

    def put(self, first: int, normal: Floats) -> None:
        """Take over the templates of all faces from a row on, and append what is new.

        Args:
            first: row.
            normal: float32 `(n, b, u, u)`: weighted products of a block's functions.
        """
        normal = normal.astype(np.float64)
        # A face without structure in some direction is not moved along it, and one without any
        # has an answer too.
        normal[:, :, _STEP, _STEP] = 1.001 * normal[:, :, _STEP, _STEP] + 1e-6
        normal[:, :, 4, 4] += 1e-6
        rows = normal.reshape(*normal.shape[:2], -1)
        self._normal = np.concatenate([self._normal[:first], rows])
        new = np.ones((len(self._normal) - len(self._trust), BLOCKS**2))
        self._trust = np.concatenate([self._trust, new])
        self._update_shares()

    def keep(self, rows: npt.NDArray[np.intp]) -> None:
        """Keep these rows, in their order, and forget the others."""
        self._normal, self._trust = self._normal[rows], self._trust[rows]
        self._update_shares()

    def solve(self, products: Reals, squares: Reals | Floats) -> list[Step]:
        """Steps, by weighted least squares over the blocks.

        Args:
            products: `(n, b, u)`: weighted products of a block of the patch with its functions.
            squares: `(n, b)`: weighted squares of the patch.
        """
        before = self._trust
        # What was trusted in the last frame decides the step; what fits it is trusted next.
        slopes, bias, residuals = self._fitted(products, squares)
        self._reweigh(residuals)
        fallen = self._over_blocks(before - self._trust, self._shares) > _FALL
        if fallen.any():
            # A thing that has just come before a face has not to decide: once more, without it.
            old = slopes, bias, residuals, self._trust
            self._reweigh((new := self._fitted(products, squares))[2])
            slopes, bias, residuals, self._trust = (
                np.where(fallen[:, None], *pair)
                for pair in zip((*new, self._trust), old, strict=True)
            )
        around = squares - bias * (2 * products[:, :, 5] - bias * self._shares)
        power, unexplained, trusted = (
            self._over_blocks(self._trust, values) for values in (around, residuals, self._shares)
        )
        likeness = np.sqrt(np.maximum(1 - unexplained / np.maximum(power, 1e-6), 0))
        rows = zip((-slopes).tolist(), likeness.tolist(), trusted.tolist(), strict=True)
        steps = [Step._make((*slope, alike, part)) for slope, alike, part in rows]
        # What is not the face does not say what is trusted of it.
        for row, step in enumerate(steps):
            if not step.alike:
                self._trust[row] = before[row]
        return steps

    def solve_some(self, products: Reals, squares: Reals | Floats, rows: list[int]) -> list[Step]:
        """Steps of some rows only, though there are products of all; see `solve`."""
        before = self._trust
        steps = self.solve(products, squares)
        after, self._trust = self._trust, before
        before[rows] = after[rows]
        return [steps[row] for row in rows]

    @staticmethod
    def _over_blocks(trust: Reals, values: Reals | Floats) -> Reals:
        """Sums over the blocks, weighted with their trust: `(n, b)` to `(n,)`."""
        return np.matmul(trust[:, None], values[..., None])[:, 0, 0]

    def _fitted(self, products: Reals, squares: Reals | Floats) -> tuple[Reals, Reals, Reals]:
        """Steps within their limits, `(n, 4)`, bias, `(n, 1)`, and residuals, `(n, b)`."""
        answer = self._answers(products)
        gain, bias = np.maximum(answer[:, 4:5], _LEAST_GAIN), answer[:, 5:]
        slopes = np.minimum(np.maximum(answer[:, :4] / gain, -LIMITS), LIMITS)
        # What only a farther step would explain is no likeness.
        answer[:, :4], answer[:, 4:5] = slopes * gain, gain
        return slopes, bias, self._residuals(products, squares, answer)

    def _answers(self, products: Reals) -> Reals:
        """Weighted least squares over the blocks: `(n, 6)`."""
        trust = self._trust[:, None]
        normal = np.matmul(trust, self._normal).reshape(-1, UNKNOWNS, UNKNOWNS)
        right = np.matmul(trust, products)
        return np.linalg.solve(normal, right.transpose(0, 2, 1))[..., 0]

    def _residuals(self, products: Reals, squares: Reals | Floats, answer: Reals) -> Reals:
        """Squared grey levels that the answers leave unexplained, by block, weighted."""
        column = answer[:, :, None]
        pairs = (column * answer[:, None]).reshape(-1, UNKNOWNS**2, 1)
        fitted = np.matmul(self._normal, pairs)[..., 0]
        return np.maximum(squares - 2 * np.matmul(products, column)[..., 0] + fitted, 0)

    def _reweigh(self, residuals: Reals) -> None:
        """Trust blocks by their residuals a pixel, those without weight not at all."""
        residuals = residuals / self._reliable_shares
        # Blocks outside the ellipse are infinitely wrong, and the last.
        usual = np.sort(residuals, axis=1)[self._middles] + _FLOOR
        self._trust = 1 / (1 + np.square(residuals / (_TOLERANCE * usual[:, None])))

    def _update_shares(self) -> None:
        """Note each block's share of its face, and which block is the median one."""
        self._shares: Reals = self._normal[:, :, -1].copy()
        inside = self._shares > _LEAST_SHARE
        self._reliable_shares: Reals = np.where(inside, self._shares, 1e-30)
        self._middles = np.arange(len(inside)), np.count_nonzero(inside, axis=1) // 2


class Templates:
    """What each face looks like, a row a face.

    Args:
        side: of the patches in pixels, a multiple of `BLOCKS`; the faces are in their middle.
    """

    def __init__(self, side: int) -> None:
        self._side = side
        self._across, self._down = _places(side)
        pixels = (side // BLOCKS) ** 2
        count = BLOCKS * BLOCKS
        self._patches: Floats = np.empty((0, side, side), np.float32)
        self._weights: Floats = np.empty((0, side, side), np.float32)
        # What a block of a patch is multiplied by, and its weights, squares to be weighed.
        self._matrices: Floats = np.empty((0, count, UNKNOWNS, pixels), np.float32)
        self._block_weights: Floats = np.empty((0, count, pixels), np.float32)
        self._equations = Equations()

    def add(self, patches: Image, sizes: Reals) -> None:
        """Append a template for each patch.

        Args:
            patches: uint8 `(n, side, side)`.
            sizes: `(n, 2)`: width and height of the face in template pixels.
        """
        weights = weights_of(sizes, self._side)
        self._weights = np.concatenate([self._weights, weights])
        self._patches = np.concatenate([self._patches, patches.astype(np.float32)])
        self._block_weights = np.concatenate([self._block_weights, _blocks(weights)])
        self._prepare(slice(len(self._matrices), None))

    def keep(self, rows: npt.NDArray[np.intp]) -> None:
        """Keep the templates of these rows, in their order, and forget the others."""
        for name in ("patches", "weights", "matrices", "block_weights"):
            setattr(self, f"_{name}", getattr(self, f"_{name}")[rows])
        self._equations.keep(rows)

    def learn(self, patches: Image, rates: Floats) -> None:
        """Let each template take in its patch.

        Args:
            patches: uint8 `(n, side, side)`, each aligned with its template.
            rates: float32 `(n,)`, 0-1: share of the new patch.
        """
        self._patches += rates[:, None, None] * (patches - self._patches)
        self._prepare(slice(0, None))

    def align(self, patches: Image) -> list[Step]:
        """Compare each patch, uint8 `(n, side, side)`, with its template."""
        return self._equations.solve(*self._products(patches))

    def align_some(self, patches: Image, rows: list[int]) -> list[Step]:
        """Align the patches of these rows only, out of one for each; see `align`."""
        return self._equations.solve_some(*self._products(patches), rows)

    def _products(self, patches: Image) -> tuple[Reals, Floats]:
        """What `Equations.solve` wants to know of patches."""
        values = _blocks(patches)
        products = np.matmul(self._matrices, values[..., None])[..., 0].astype(np.float64)
        np.square(values, out=values)
        squares = np.matmul(self._block_weights[:, :, None], values[..., None])[..., 0, 0]
        return products, squares

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
        normal = np.matmul(matrices, functions.transpose(0, 1, 3, 2))
        kept = rows.start
        self._matrices = np.concatenate([self._matrices[:kept], matrices])
        self._equations.put(kept, normal)


def weights_of(sizes: Reals, side: int) -> Floats:
    """How much each pixel of a patch counts, float32 `(n, side, side)`; 1 together.

    Inside an ellipse, so that the background at a box's corners does not hold the face.

    Args:
        sizes: `(n, 2)`: width and height of the faces in the patches' middle, in pixels.
        side: of the patches in pixels.
    """
    half = np.maximum(sizes, 1.0)[:, :, None, None].astype(np.float32) / 2
    across, down = _places(side)
    radius = np.hypot(across / half[:, 0], down / half[:, 1])
    weights: Floats = np.clip((1.1 - radius) / 0.3, 0, 1)
    weights /= weights.sum(axis=(1, 2), keepdims=True)
    return weights


def _places(side: int) -> tuple[Floats, Floats]:
    """Across and down from the middle of a patch, `(side, side)`."""
    place = np.arange(side, dtype=np.float32) - (side - 1) / 2
    across, down = np.meshgrid(place, place)
    return across, down


def _blocks(pictures: Floats | Image) -> Floats:
    """`(n, side, side)` as float32 `(n, blocks, pixels)`, row by row."""
    count, side = pictures.shape[:2]
    part = side // BLOCKS
    split = pictures.reshape(count, BLOCKS, part, BLOCKS, part).transpose(0, 1, 3, 2, 4)
    return split.astype(np.float32, order="C").reshape(count, BLOCKS * BLOCKS, part * part)
