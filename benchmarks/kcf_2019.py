"""The tracker of the 2019 program: one NumPy KCF a face.

Kernelized correlation filters (Henriques et al., TPAMI 2015) on raw gray pixels: Hann
window, Gaussian kernel, a template of 96 pixels around two and a half times the face,
three scales a frame, a model updated by interpolation. Written from that description for
comparison; the engine follows faces with its own.
"""

from __future__ import annotations

from math import sqrt

import cv2
import numpy as np
import numpy.typing as npt

from fer_edge.engine.tracking.base import Box
from fer_edge.engine.types import Image

Plane = npt.NDArray[np.float32]

PADDING = 2.5
TEMPLATE = 96  # longer side, in pixels
SIGMA = 0.2  # of the Gaussian kernel
REGULARISATION = 1e-4
TARGET_SIGMA = 0.125  # of the wanted response, in parts of the face
LEARNING_RATE = 0.075
SCALE_STEP = 1.05
# A change of size must be this much better than none.
SCALE_WEIGHT = 0.96


class NumpyKCF:
    """Follows one face.

    Args:
        gray: uint8 `(h, w)`.
        box: `(x, y, w, h)` in pixels.
    """

    def __init__(self, gray: Image, box: Box) -> None:
        x, y, w, h = box
        self._centre = (x + w / 2, y + h / 2)
        self._size = (max(w, 2.0), max(h, 2.0))
        # Pixels of the frame to a pixel of the template.
        self._scale = max(self._size) * PADDING / TEMPLATE
        self._side = tuple(max(8, int(s * PADDING / self._scale) // 2 * 2) for s in self._size)
        width, height = self._side
        self._window = np.outer(np.hanning(height), np.hanning(width)).astype(np.float32)
        self._target = np.fft.fft2(_gaussian(width, height))
        self._template = self._features(gray, 1.0)
        self._alpha = self._trained(self._template)

    def update(self, gray: Image) -> Box:
        """The box `(x, y, w, h)` in the next frame; it is never lost, only wrong."""
        best, place = self._response(gray, 1.0)
        chosen = 1.0
        for scale in (1 / SCALE_STEP, SCALE_STEP):
            peak, there = self._response(gray, scale)
            if SCALE_WEIGHT * peak > best:
                best, place, chosen = peak, there, scale
        self._scale *= chosen
        self._size = (self._size[0] * chosen, self._size[1] * chosen)
        height, width = gray.shape
        x = min(max(self._centre[0] + place[0] * self._scale, 0.0), width - 1.0)
        y = min(max(self._centre[1] + place[1] * self._scale, 0.0), height - 1.0)
        self._centre = (x, y)
        self._learn(gray)
        w, h = self._size
        return x - w / 2, y - h / 2, w, h

    def _response(self, gray: Image, scale: float) -> tuple[float, tuple[float, float]]:
        """Peak of the response, and its distance from the middle in template pixels."""
        kernel = _kernel(self._features(gray, scale), self._template)
        response = np.fft.ifft2(self._alpha * np.fft.fft2(kernel)).real
        row, column = np.unravel_index(int(response.argmax()), response.shape)
        height, width = response.shape
        dy = float(row) + _between(response[:, column], int(row))
        dx = float(column) + _between(response[row], int(column))
        # The spectrum is periodic: its far half is negative.
        return float(response[row, column]), (
            (dx - width if dx > width / 2 else dx) * scale,
            (dy - height if dy > height / 2 else dy) * scale,
        )

    def _learn(self, gray: Image) -> None:
        fresh = self._features(gray, 1.0)
        rate = np.float32(LEARNING_RATE)
        self._template = (1 - rate) * self._template + rate * fresh
        self._alpha = (1 - rate) * self._alpha + rate * self._trained(fresh)

    def _trained(self, features: Plane) -> npt.NDArray[np.complexfloating]:
        kernel = np.fft.fft2(_kernel(features, features))
        return self._target / (kernel + REGULARISATION)

    def _features(self, gray: Image, scale: float) -> Plane:
        """The windowed surroundings of the face, `(height, width)` of the template."""
        width, height = self._side
        step = self._scale * scale
        size = (max(2, round(width * step)), max(2, round(height * step)))
        left = round(self._centre[0] - size[0] / 2)
        top = round(self._centre[1] - size[1] / 2)
        patch = _cut(gray, left, top, *size)
        if patch.shape != (height, width):
            patch = cv2.resize(patch, (width, height), interpolation=cv2.INTER_LINEAR)  # type: ignore[assignment]
        return (patch.astype(np.float32) / 255 - np.float32(0.5)) * self._window


def _cut(gray: Image, left: int, top: int, width: int, height: int) -> Image:
    """A part of a picture; beyond its border the nearest pixel is repeated."""
    rows, columns = gray.shape
    x0, y0 = min(max(left, 0), columns - 1), min(max(top, 0), rows - 1)
    x1, y1 = max(min(left + width, columns), x0 + 1), max(min(top + height, rows), y0 + 1)
    inner = gray[y0:y1, x0:x1]
    missing = (y0 - top, top + height - y1, x0 - left, left + width - x1)
    if not any(missing):
        return inner
    above, below, before, behind = (max(0, amount) for amount in missing)
    return np.pad(inner, ((above, below), (before, behind)), mode="edge")


def _kernel(a: Plane, b: Plane) -> Plane:
    """Gaussian kernel correlation of two planes, `(h, w)`, the zero shift at `[0, 0]`."""
    cross = np.fft.ifft2(np.fft.fft2(a) * np.conj(np.fft.fft2(b))).real
    distance = (float(np.vdot(a, a)) + float(np.vdot(b, b)) - 2 * cross) / a.size
    return np.exp(-np.maximum(distance, 0) / SIGMA**2).astype(np.float32)


def _gaussian(width: int, height: int) -> Plane:
    """The wanted response, its peak at `[0, 0]`."""
    sigma = sqrt(width * height) / PADDING * TARGET_SIGMA
    rows = np.minimum(np.arange(height), height - np.arange(height))[:, None]
    columns = np.minimum(np.arange(width), width - np.arange(width))[None]
    return np.exp(-(rows**2 + columns**2) / (2 * sigma**2)).astype(np.float32)


def _between(line: npt.NDArray[np.floating], at: int) -> float:
    """Where the parabola through a peak and its neighbours has its top, -0.5 to 0.5."""
    left, middle, right = (float(line[(at + d) % len(line)]) for d in (-1, 0, 1))
    bend = left - 2 * middle + right
    return 0.0 if bend == 0 else 0.5 * (left - right) / bend
