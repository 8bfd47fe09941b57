"""Correlation filters with the linear kernel, for all faces at once.

J. F. Henriques, R. Caseiro, P. Martins, J. Batista: "High-Speed Tracking with Kernelized
Correlation Filters", TPAMI 2015; equations are quoted by their numbers there. With the linear
kernel (31), ridge regression over all shifts of a patch x is a division of spectra (17), and the
responses at all shifts of another patch z a multiplication (22):

    alpha = y / (conj(x) x + lambda)        f = conj(x) z alpha

A filter of several frames sums numerators and denominators apart, as M. Danelljan et al.,
"Accurate Scale Estimation for Robust Visual Tracking", BMVC 2014, (5), do.
"""

from __future__ import annotations

from typing import NamedTuple

import cv2
import numpy as np
import numpy.typing as npt

from ..types import Floats, Image

Spectra = npt.NDArray[np.complex64]

# Weight of the regularisation in (17), where the mean power of a patch's spectrum is one.
LAMBDA = 1e-2
# Standard deviation of the wanted response y, in template pixels.
SIGMA = 2.0
# Half the width of what a peak's sidelobes leave out, 11x11 as in D. Bolme et al., "Visual
# Object Tracking using Adaptive Correlation Filters", CVPR 2010.
LOBE = 5


class Peak(NamedTuple):
    """The highest response to a patch.

    Attributes:
        across, down: how far its face is from its middle, in template pixels; between pixels
            by parabolas.
        ratio: peak-to-sidelobe ratio, the height over the mean of the other responses in
            their standard deviations.
    """

    across: float
    down: float
    ratio: float


class CorrelationFilters:
    """Filters whose response peaks where their face is, a row a face.

    Args:
        side: of the patches in pixels, even.
    """

    def __init__(self, side: int) -> None:
        self._side = side
        # Of the periodic window's spectrum nine numbers are not zero: what a patch's mean adds.
        ramp = (0.5 - 0.5 * np.cos(2 * np.pi * np.arange(side) / side)).astype(np.float32)
        self._window: Floats = ramp[:, None] * ramp
        away = np.arange(side) - side // 2
        wanted = np.fft.fft2(np.exp(-0.5 * (away[:, None] ** 2 + away**2) / SIGMA**2))
        wanted[np.ix_((-1, 0, 1), (-1, 0, 1))] = 0
        self._wanted: Spectra = wanted.astype(np.complex64)
        self._numerators: Spectra = np.empty((0, side, side), np.complex64)
        self._powers: Floats = np.empty((0, side, side), np.float32)
        self._filters: Spectra = np.empty((0, side, side), np.complex64)
        self._reserve(4)

    def add(self, patches: Image) -> None:
        """Append a filter for each patch, uint8 `(n, side, side)`."""
        known, count = len(self._filters), len(patches)
        shape = (count, self._side, self._side)
        self._numerators = np.concatenate([self._numerators, np.zeros(shape, np.complex64)])
        self._powers = np.concatenate([self._powers, np.zeros(shape, np.float32)])
        self._filters = np.concatenate([self._filters, np.zeros(shape, np.complex64)])
        self._learn(slice(known, None), patches, np.ones(count, np.float32))

    def keep(self, rows: npt.NDArray[np.intp]) -> None:
        """Keep the filters of these rows, in their order, and forget the others."""
        self._numerators = self._numerators[rows]
        self._powers = self._powers[rows]
        self._filters = self._filters[rows]

    def find(self, patches: Image) -> list[Peak]:
        """Where in its patch each face is; uint8 `(n, side, side)`, a patch a filter."""
        product = self._transform(patches)
        product *= self._filters
        responses = self._responses[: len(patches)]
        for row, response in zip(_pairs(product), responses, strict=True):
            cv2.dft(row, response, cv2.DFT_INVERSE | cv2.DFT_REAL_OUTPUT)
        return [_peak(response) for response in responses]

    def learn(self, patches: Image, rates: Floats) -> None:
        """Let each filter take in its patch.

        Args:
            patches: uint8 `(n, side, side)`, each with its face in the middle.
            rates: float32 `(n,)`, 0-1: share of the new patch in the filter.
        """
        self._learn(slice(0, None), patches, rates)

    def _learn(self, rows: slice, patches: Image, rates: Floats) -> None:
        spectra = self._transform(patches)
        power = np.square(spectra.real)
        power += np.square(spectra.imag)
        mean = power.reshape(len(power), -1).mean(axis=1)
        shares = (rates / np.maximum(mean, 1e-9))[:, None, None]
        kept = (1 - rates)[:, None, None]
        np.conj(spectra, out=spectra)
        spectra *= self._wanted
        spectra *= shares
        power *= shares
        numerators, powers = self._numerators[rows], self._powers[rows]
        numerators *= kept
        numerators += spectra
        powers *= kept
        powers += power
        np.divide(numerators, powers + np.float32(LAMBDA), out=self._filters[rows])

    def _transform(self, patches: Image) -> Spectra:
        """Spectra of the windowed patches, in a buffer that the next call uses again."""
        count = len(patches)
        if count > len(self._values):
            self._reserve(2 * count)
        values, spectra = self._values[:count], self._spectra[:count]
        np.multiply(patches, self._window, out=values)
        for patch, row in zip(values, _pairs(spectra), strict=True):
            cv2.dft(patch, row, cv2.DFT_COMPLEX_OUTPUT)
        return spectra

    def _reserve(self, count: int) -> None:
        shape = (count, self._side, self._side)
        self._values: Floats = np.empty(shape, np.float32)
        self._spectra: Spectra = np.empty(shape, np.complex64)
        self._responses: Floats = np.empty(shape, np.float32)


def _pairs(spectra: Spectra) -> Floats:
    """Complex numbers as OpenCV sees them, a last axis of real and imaginary part."""
    return spectra.view(np.float32).reshape(*spectra.shape, 2)


def _peak(response: Floats) -> Peak:
    side = len(response)
    _, height, _, (column, row) = cv2.minMaxLoc(response)
    near = response[max(0, row - LOBE) : row + LOBE + 1, max(0, column - LOBE) : column + LOBE + 1]
    total, squares = _sums(response)
    lobe, lobe_squares = _sums(near)
    count = response.size - near.size
    mean = (total - lobe) / count
    variance = (squares - lobe_squares) / count - mean * mean
    ratio = (height - mean) / max(variance, 1e-12 * height * height, 1e-30) ** 0.5
    across, down = float(column), float(row)
    if 0 < column < side - 1:
        across += _vertex(*response[row, column - 1 : column + 2].tolist())
    if 0 < row < side - 1:
        down += _vertex(*response[row - 1 : row + 2, column].tolist())
    return Peak(across - side // 2, down - side // 2, ratio)


def _sums(values: Floats) -> tuple[float, float]:
    """Sum and sum of squares."""
    mean, deviation = cv2.meanStdDev(values)
    m, d = mean.item(), deviation.item()
    return m * values.size, (m * m + d * d) * values.size


def _vertex(before: float, peak: float, after: float) -> float:
    """Where the parabola through three neighbours is highest, from the middle one."""
    bend = 2 * peak - before - after
    return (after - before) / (2 * bend) if bend > 0 else 0.0
