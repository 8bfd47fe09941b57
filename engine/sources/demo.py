"""A deterministic video made by moving a virtual camera over a photograph of one face.

The photograph is NASA's portrait of the astronaut Eileen Collins, public domain, as
scikit-image ships it (`skimage.data.astronaut`).
"""

from __future__ import annotations

from math import cos, pi, sin
from pathlib import Path

import cv2
import numpy as np

from ..types import Frame
from .base import Reader, SourceInfo
from .images import read_image

PHOTOGRAPH = Path(__file__).with_name("astronaut.jpg")
# Forehead to chin and cheek to cheek, marked by hand: (x, y, w, h) in the photograph.
FACE_BOX = (180.0, 70.0, 86.0, 108.0)
SIDE = 512  # of the photograph, in pixels
WIDTH, HEIGHT = 640, 480
FPS = 30.0
FRAMES = 600


class Demo(Reader):
    """The demo video: 640x480, 30 fps, 600 frames, the same pixels every time."""

    def __init__(self) -> None:
        self.info = SourceInfo("demo", FPS, FRAMES, False)
        self._photograph = read_image(PHOTOGRAPH)
        self._index = 0

    def read(self) -> Frame | None:
        """Return the next frame; see `Reader.read`."""
        if self._index >= FRAMES:
            return None
        image = cv2.warpAffine(
            self._photograph,
            _camera(self._index),
            (WIDTH, HEIGHT),
            flags=cv2.INTER_LINEAR,
            borderMode=cv2.BORDER_REFLECT_101,
        )
        frame = Frame(image, self._index, self._index / FPS)  # type: ignore[arg-type]
        self._index += 1
        return frame

    def close(self) -> None:
        """Do nothing: no file stays open."""


def demo_face_box(index: int) -> tuple[float, float, float, float]:
    """The true box `(x, y, w, h)` of the face in frame `index`, in pixels, not clipped."""
    x, y, w, h = FACE_BOX
    camera = _camera(index)
    zoom = float(camera[0, 0])
    return (
        zoom * x + float(camera[0, 2]),
        zoom * y + float(camera[1, 2]),
        zoom * w,
        zoom * h,
    )


def _camera(index: int) -> np.ndarray[tuple[int, int], np.dtype[np.float64]]:
    """The affine map from photograph to frame: a slow pan and zoom around the face."""
    phase = 2 * pi * index / FRAMES
    zoom = 1.75 + 0.45 * sin(2 * phase)
    # The view stays inside the photograph.
    half_width, half_height = WIDTH / 2 / zoom, HEIGHT / 2 / zoom
    x = min(max(225 + 55 * sin(3 * phase), half_width), SIDE - half_width)
    y = min(max(150 + 30 * cos(5 * phase), half_height), SIDE - half_height)
    return np.array([[zoom, 0, WIDTH / 2 - zoom * x], [0, zoom, HEIGHT / 2 - zoom * y]])
