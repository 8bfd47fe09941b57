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

from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

from ..types import Floats, Image

Spectra = npt.NDArray[np.complex64]
Indices = npt.NDArray[np.intp]

# Weight of the regularisation in (17), where the mean power of a patch's spectrum is one.
LAMBDA = 1e-2
# Standard deviation of the wanted response y, in template pixels.
SIGMA = 2.0
# Half the width of what a peak's sidelobes leave out, 11x11 as in D. Bolme et al., "Visual
# Object Tracking using Adaptive Correlation Filters", CVPR 2010.
LOBE = 5


@dataclass(frozen=True)
class Peaks:
    """The highest responses.

    Attributes:
        shifts: float32 `(n, 2)`: x and y in template pixels, how far the face has moved; between
            pixels by a parabola through the neighbours.
        ratios: float32 `(n,)`: peak-to-sidelobe ratios, heights over the mean of the rest in
            its standard deviations.
    """

    shifts: Floats
    ratios: Floats


class CorrelationFilters:
    """Filters whose response peaks where their face is, a row a face.

    Args:
        side: of the patches in pixels.
    """

    def __init__(self, side: int) -> None:
        self._side = side
        ramp = np.hanning(side + 2)[1:-1].astype(np.float32)
        self._window: Floats = ramp[:, None] * ramp
        away = np.fft.fftfreq(side, 1 / side)
        wanted = np.exp(-0.5 * (away[:, None] ** 2 + away**2) / SIGMA**2)
        self._wanted: Spectra = np.fft.fft2(wanted).astype(np.complex64)
        self._numerators: Spectra = np.empty((0, side, side), np.complex64)
        self._powers: Floats = np.empty((0, side, side), np.float32)
        self._filters: Spectra = np.empty((0, side, side), np.complex64)
        lobe = np.arange(-LOBE, LOBE + 1)
        self._lobe_rows, self._lobe_columns = lobe[None, :, None], lobe[None, None, :]
        self._reserve(4)

    def add(self, patches: Image) -> None:
        """Append a filter for each patch, uint8 `(n, side, side)`."""
        spectra = self._transform(patches)
        numerators, powers = self._wanted * spectra.conj(), _power(spectra)
        self._numerators = np.concatenate([self._numerators, numerators])
        self._powers = np.concatenate([self._powers, powers])
        self._filters = np.concatenate([self._filters, numerators / (powers + LAMBDA)])

    def keep(self, rows: Indices) -> None:
        """Keep the filters of these rows, in their order, and forget the others."""
        self._numerators = self._numerators[rows]
        self._powers = self._powers[rows]
        self._filters = self._filters[rows]

    def find(self, patches: Image) -> Peaks:
        """Where in its patch each face is; uint8 `(n, side, side)`, a patch a filter."""
        spectra = self._transform(patches)
        product = self._product[: len(patches)]
        np.multiply(spectra, self._filters, out=product)
        responses = self._responses[: len(patches)]
        for row, response in zip(_pairs(product), responses, strict=True):
            cv2.dft(row, response, cv2.DFT_INVERSE | cv2.DFT_REAL_OUTPUT)
        return self._peaks(responses)

    def learn(self, patches: Image, rates: Floats) -> None:
        """Let each filter take in its patch.

        Args:
            patches: uint8 `(n, side, side)`, each with its face in the middle.
            rates: float32 `(n,)`, 0-1: share of the new patch in the filter.
        """
        spectra = self._transform(patches)
        rates = rates[:, None, None]
        product = np.conj(spectra, out=self._product[: len(patches)])
        product *= self._wanted
        product -= self._numerators
        product *= rates
        self._numerators += product
        power = _power(spectra)
        power -= self._powers
        power *= rates
        self._powers += power
        np.add(self._powers, LAMBDA, out=power)
        np.divide(self._numerators, power, out=self._filters)

    def _transform(self, patches: Image) -> Spectra:
        """Spectra of the windowed patches, zero mean, mean power one."""
        count = len(patches)
        if count > len(self._values):
            self._reserve(max(count, 2 * len(self._values)))
        values, spectra = self._values[:count], self._spectra[:count]
        np.multiply(patches, self._window, out=values)
        flat = values.reshape(count, -1)
        values -= self._window * (flat.sum(axis=1) / self._window.sum())[:, None, None]
        power = np.einsum("ij,ij->i", flat, flat)
        # The transform multiplies power by the number of pixels.
        values /= np.sqrt(np.maximum(power, 1e-3))[:, None, None]
        for patch, row in zip(values, _pairs(spectra), strict=True):
            cv2.dft(patch, row, cv2.DFT_COMPLEX_OUTPUT)
        return spectra

    def _peaks(self, responses: Floats) -> Peaks:
        side = self._side
        flat = responses.reshape(len(responses), -1)
        at = flat.argmax(axis=1)
        faces = np.arange(len(at))
        rows, columns = np.divmod(at, side)
        lobes = responses[
            faces[:, None, None],
            (rows[:, None, None] + self._lobe_rows) % side,
            (columns[:, None, None] + self._lobe_columns) % side,
        ].reshape(len(at), -1)
        count = side * side - lobes.shape[1]
        mean = (flat.sum(axis=1) - lobes.sum(axis=1)) / count
        squares = np.einsum("ij,ij->i", flat, flat) - np.einsum("ij,ij->i", lobes, lobes)
        deviation = np.sqrt(np.maximum(squares / count - mean**2, 1e-20))
        heights = flat[faces, at]
        left, right = (responses[faces, rows, (columns + by) % side] for by in (-1, 1))
        above, below = (responses[faces, (rows + by) % side, columns] for by in (-1, 1))
        shifts = np.stack([columns, rows], axis=1).astype(np.float32)
        shifts[shifts >= side // 2] -= side
        shifts[:, 0] += _vertex(left, heights, right)
        shifts[:, 1] += _vertex(above, heights, below)
        return Peaks(shifts, (heights - mean) / deviation)

    def _reserve(self, count: int) -> None:
        """Make the buffers that one frame after the other is worked on in."""
        shape = (count, self._side, self._side)
        self._values: Floats = np.empty(shape, np.float32)
        self._spectra: Spectra = np.empty(shape, np.complex64)
        self._product: Spectra = np.empty(shape, np.complex64)
        self._responses: Floats = np.empty(shape, np.float32)


def _vertex(before: Floats, peak: Floats, after: Floats) -> Floats:
    """Where parabolas through three neighbours are highest, from the middle one."""
    bend = 2 * peak - before - after
    return (after - before) / (2 * np.maximum(bend, 1e-12))


def _power(spectra: Spectra) -> Floats:
    power = np.square(spectra.real)
    power += np.square(spectra.imag)
    return power


def _pairs(spectra: Spectra) -> Floats:
    """Complex numbers as OpenCV sees them, a last axis of real and imaginary part."""
    return spectra.view(np.float32).reshape(*spectra.shape, 2)
