"""Correlation filters with the linear kernel, for all faces at once.

J. F. Henriques, R. Caseiro, P. Martins, J. Batista: "High-Speed Tracking with Kernelized
Correlation Filters", TPAMI 2015; equations are quoted by their numbers there. With the linear
kernel (31), ridge regression over all shifts of a patch x is a division of spectra (17), and the
responses at all shifts of another patch z a multiplication (22):

    alpha = y / (conj(x) x + lambda)        f = conj(x) z alpha

A filter of several frames sums numerators and denominators apart, as M. Danelljan et al.,
"Accurate Scale Estimation for Robust Visual Tracking", BMVC 2014, (5), do.

Why so plain: the alignment that follows makes up for what a filter leaves. With the Gaussian
kernel mean IoU over the tracking benchmark's classes is the same within 0.001 at detection every
10th frame and every 30th, and an update takes 1.2 to 1.3 times as long; with eight channels of
gradients it is the same too, at 3 to 6 times.
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

    Spectra are packed as OpenCV packs those of real pictures: half of one, its real and imaginary
    parts side by side, in an array as large as the picture.

    Args:
        side: of the patches in pixels, even.
    """

    def __init__(self, side: int) -> None:
        self._side = side
        ramp = window_of(side)
        self._window: Floats = ramp[:, None] * ramp
        self._wanted: Floats = np.asarray(cv2.dft(wanted_of(side)))
        self._numerators: Floats = np.empty((0, side, side), np.float32)
        self._powers: Floats = np.empty((0, side, side), np.float32)
        self._filters: Floats = np.empty((0, side, side), np.float32)
        self._reserve(4)

    def add(self, patches: Image) -> None:
        """Append a filter for each patch, uint8 `(n, side, side)`."""
        known = len(self._filters)
        nothing = np.zeros(patches.shape, np.float32)
        self._numerators = np.concatenate([self._numerators, nothing])
        self._powers = np.concatenate([self._powers, nothing])
        self._filters = np.concatenate([self._filters, nothing])
        self._learn(slice(known, None), patches, np.ones(len(patches), np.float32))

    def keep(self, rows: npt.NDArray[np.intp]) -> None:
        """Keep the filters of these rows, in their order, and forget the others."""
        self._numerators = self._numerators[rows]
        self._powers = self._powers[rows]
        self._filters = self._filters[rows]

    def find(self, patches: Image) -> list[Peak]:
        """Where in its patch each face is; uint8 `(n, side, side)`, a patch a filter."""
        spectra = self._transform(patches)
        response = self._response
        peaks = []
        for spectrum, filter_ in zip(spectra, self._filters, strict=True):
            cv2.mulSpectrums(spectrum, filter_, 0, response)
            cv2.dft(response, response, cv2.DFT_INVERSE)
            peaks.append(_peak(response))
        return peaks

    def learn(self, patches: Image, rates: Floats) -> None:
        """Let each filter take in its patch.

        Args:
            patches: uint8 `(n, side, side)`, each with its face in the middle.
            rates: float32 `(n,)`, 0-1: share of the new patch in the filter.
        """
        self._learn(slice(0, None), patches, rates)

    def _learn(self, rows: slice, patches: Image, rates: Floats) -> None:
        spectra = self._transform(patches)
        power = _power(spectra, self._squares[: len(patches)])
        mean = power.reshape(len(power), -1).mean(axis=1)
        shares = (rates / np.maximum(mean, 1e-9))[:, None, None]
        kept = (1 - rates)[:, None, None]
        for spectrum in spectra:
            cv2.mulSpectrums(self._wanted, spectrum, 0, spectrum, conjB=True)
        numerators, powers = self._numerators[rows], self._powers[rows]
        spectra *= shares
        numerators *= kept
        numerators += spectra
        power *= shares
        powers *= kept
        powers += power
        np.add(powers, np.float32(LAMBDA), out=power)
        np.divide(numerators, power, out=self._filters[rows])

    def _transform(self, patches: Image) -> Floats:
        """Spectra of the windowed patches, in a buffer that the next call uses again."""
        count = len(patches)
        if count > len(self._spectra):
            self._reserve(2 * count)
        spectra = self._spectra[:count]
        np.multiply(patches, self._window, out=spectra)
        for spectrum in spectra:
            cv2.dft(spectrum, spectrum)
        return spectra

    def _reserve(self, count: int) -> None:
        shape = (count, self._side, self._side)
        self._spectra: Floats = np.empty(shape, np.float32)
        self._squares: Floats = np.empty(shape, np.float32)
        self._response: Floats = np.empty(shape[1:], np.float32)


def window_of(side: int) -> Floats:
    """The periodic Hann window along one side of a patch, float32 `(side,)`."""
    return (0.5 - 0.5 * np.cos(2 * np.pi * np.arange(side) / side)).astype(np.float32)


def wanted_of(side: int) -> Floats:
    """The wanted response y to a patch, float32 `(side, side)`, highest in its middle."""
    away = np.arange(side) - side // 2
    wanted = np.fft.fft2(np.exp(-0.5 * (away[:, None] ** 2 + away**2) / SIGMA**2))
    # Of the window's spectrum nine numbers are not zero: what a patch's mean adds.
    wanted[np.ix_((-1, 0, 1), (-1, 0, 1))] = 0
    return np.fft.ifft2(wanted).real.astype(np.float32)


def _power(spectra: Floats, out: Floats) -> Floats:
    """Squared magnitudes of packed spectra, at the places of real and of imaginary parts."""
    np.square(spectra, out=out)
    inner = out[:, :, 1:-1].reshape(*out.shape[:2], -1, 2)
    # Of the first and the last column, numbers lie below each other.
    edges = out[:, 1:-1, :: out.shape[2] - 1].reshape(len(out), -1, 2, 2)
    inner[..., 0] += inner[..., 1]
    inner[..., 1] = inner[..., 0]
    edges[:, :, 0] += edges[:, :, 1]
    edges[:, :, 1] = edges[:, :, 0]
    return out


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
