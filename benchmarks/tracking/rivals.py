"""What the engine's tracker is held against: OpenCV's KCF as it comes, and the settings of 2019."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from fer_edge.engine.tracking.base import Box, Followed, Follower
from fer_edge.engine.types import Image

Reals = npt.NDArray[np.float64]


class PlainOpenCV(Follower):
    """`cv2.TrackerKCF` with its own parameters on the whole frame, an object a face."""

    def __init__(self) -> None:
        self._faces: dict[int, Any] = {}

    def start(self, image: Image, boxes: Mapping[int, Box]) -> None:
        """Follow these faces too; see `Follower.start`."""
        height, width = image.shape[:2]
        for id_, (x, y, w, h) in boxes.items():
            left, top = max(0, round(x)), max(0, round(y))
            right, bottom = min(width, round(x + w)), min(height, round(y + h))
            self._faces.pop(id_, None)
            if min(right - left, bottom - top) >= 4:
                self._faces[id_] = cv2.TrackerKCF.create()
                self._faces[id_].init(image, (left, top, right - left, bottom - top))

    def correct(self, boxes: Mapping[int, Box]) -> set[int]:
        """Ask for new starts; see `Follower.correct`."""
        return set(boxes)

    def stop(self, ids: Collection[int]) -> None:
        """Forget these faces; see `Follower.stop`."""
        self._faces = {id_: face for id_, face in self._faces.items() if id_ not in ids}

    def update(self, image: Image) -> dict[int, Followed]:
        """Find the faces in the next frame; see `Follower.update`."""
        answers = {id_: face.update(image) for id_, face in self._faces.items()}
        found = {id_: Followed(tuple(box), 1.0) for id_, (ok, box) in answers.items() if ok}
        self.stop(answers.keys() - found.keys())
        return found


class _KCF2019:
    """One face: raw gray pixels, Gaussian kernel, three scales, NumPy's FFT in double precision."""

    template = 96.0
    padding = 2.5
    regularisation = 1e-4
    output_sigma = 0.125
    kernel_sigma = 0.2
    rate = 0.075
    scales = (1.0, 1 / 1.05, 1.05)
    scale_weight = 0.96

    def __init__(self, image: Image, box: Box) -> None:
        x, y, w, h = box
        self._middle = np.array([x + w / 2, y + h / 2])
        self._size = np.array([w, h])
        self._scale = max(w, h) * self.padding / self.template
        self._shape = tuple(int(side * self.padding / self._scale) // 2 * 2 for side in (h, w))
        rows, columns = self._shape
        self._window = np.hanning(rows)[:, None] * np.hanning(columns)
        sigma = np.sqrt(rows * columns) / self.padding * self.output_sigma
        away = [np.arange(side) - side // 2 for side in self._shape]
        self._wanted = np.fft.fft2(np.exp(-0.5 * (away[0][:, None] ** 2 + away[1] ** 2) / sigma**2))
        self._model = self._features(image, 1.0)
        self._alpha = self._solve(self._model)

    def update(self, image: Image) -> Box:
        best, peak, scale = None, -1.0, 1.0
        for factor in self.scales:
            response = self._respond(self._features(image, factor))
            value = response.max() * (1.0 if factor == 1 else self.scale_weight)
            if best is None or value > peak:
                best, peak, scale = response, value, factor
        assert best is not None
        self._move(best, scale)
        features = self._features(image, 1.0)
        self._model += self.rate * (features - self._model)
        self._alpha += self.rate * (self._solve(features) - self._alpha)
        return self.box

    @property
    def box(self) -> Box:
        x, y = self._middle - self._size / 2
        return float(x), float(y), float(self._size[0]), float(self._size[1])

    def _move(self, response: Reals, factor: float) -> None:
        row, column = np.unravel_index(int(response.argmax()), response.shape)
        shift = np.array([column - self._shape[1] // 2, row - self._shape[0] // 2], float)
        if 0 < column < response.shape[1] - 1:
            shift[0] += _vertex(*response[row, column - 1 : column + 2])
        if 0 < row < response.shape[0] - 1:
            shift[1] += _vertex(*response[row - 1 : row + 2, column])
        self._scale *= factor
        self._size = self._size * factor
        self._middle = self._middle + shift * self._scale

    def _features(self, image: Image, factor: float) -> Reals:
        rows, columns = self._shape
        w, h = (round(side * self._scale * factor) for side in (columns, rows))
        x, y = (round(value) for value in self._middle)
        left, top = x - w // 2, y - h // 2
        height, width = image.shape[:2]
        inside = image[max(0, top) : max(0, top + h), max(0, left) : max(0, left + w)]
        if not inside.size:
            return np.zeros(self._shape)
        patch = cv2.copyMakeBorder(
            inside, max(0, -top), max(0, top + h - height), max(0, -left),
            max(0, left + w - width), cv2.BORDER_REPLICATE,
        )  # fmt: skip
        gray = cv2.cvtColor(cv2.resize(patch, (columns, rows)), cv2.COLOR_BGR2GRAY)
        return (gray / 255 - 0.5) * self._window

    def _kernel(self, x: Reals, z: Reals) -> Reals:
        cross = np.fft.ifft2(np.fft.fft2(z) * np.conj(np.fft.fft2(x))).real
        distance = ((x**2).sum() + (z**2).sum() - 2 * np.fft.fftshift(cross)) / x.size
        return np.exp(-np.maximum(distance, 0) / self.kernel_sigma**2)

    def _solve(self, x: Reals) -> npt.NDArray[np.complex128]:
        return self._wanted / (np.fft.fft2(self._kernel(x, x)) + self.regularisation)

    def _respond(self, z: Reals) -> Reals:
        return np.fft.ifft2(self._alpha * np.fft.fft2(self._kernel(self._model, z))).real


def _vertex(left: float, middle: float, right: float) -> float:
    bend = 2 * middle - left - right
    return 0.0 if abs(bend) < 1e-12 else 0.5 * (right - left) / bend


class KCF2019(Follower):
    """The 2019 program's settings, an object a face; it never says that a face is lost."""

    def __init__(self) -> None:
        self._faces: dict[int, _KCF2019] = {}

    def start(self, image: Image, boxes: Mapping[int, Box]) -> None:
        """Follow these faces too; see `Follower.start`."""
        fit = {id_: box for id_, box in boxes.items() if min(box[2:]) >= 4}
        self._faces |= {id_: _KCF2019(image, box) for id_, box in fit.items()}

    def correct(self, boxes: Mapping[int, Box]) -> set[int]:
        """Ask for new starts; see `Follower.correct`."""
        return set(boxes)

    def stop(self, ids: Collection[int]) -> None:
        """Forget these faces; see `Follower.stop`."""
        self._faces = {id_: face for id_, face in self._faces.items() if id_ not in ids}

    def update(self, image: Image) -> dict[int, Followed]:
        """Find the faces in the next frame; see `Follower.update`."""
        return {id_: Followed(face.update(image), 1.0) for id_, face in self._faces.items()}
