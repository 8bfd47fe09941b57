"""What cameras do to a face: few pixels, blur, noise, compression.

Each takes a gray face float32 `(h, w)`, 0-255, and returns one like it.
"""

from __future__ import annotations

import cv2
import numpy as np

from fer_edge.engine.types import Floats


def low_resolution(face: Floats, side: int) -> Floats:
    """The face as `side` pixels a side of it were enlarged again, bilinearly."""
    height, width = face.shape
    small = cv2.resize(face, (side, side), interpolation=cv2.INTER_AREA)
    return np.asarray(cv2.resize(small, (width, height), interpolation=cv2.INTER_LINEAR))


def blur(face: Floats, deviation: float) -> Floats:
    """A Gaussian blur; the deviation is in pixels."""
    return np.asarray(cv2.GaussianBlur(face, (0, 0), deviation))


def noise(face: Floats, deviation: float, rng: np.random.Generator) -> Floats:
    """Gaussian noise of a deviation in grey levels, cut to 0-255."""
    added = face + deviation * rng.standard_normal(face.shape, dtype=np.float32)
    return np.clip(added, 0, 255).astype(np.float32)


def jpeg(face: Floats, quality: int) -> Floats:
    """The face after JPEG of a quality from 1 to 100."""
    whole = np.rint(np.clip(face, 0, 255)).astype(np.uint8)
    _, code = cv2.imencode(".jpg", whole, [cv2.IMWRITE_JPEG_QUALITY, quality])
    return np.asarray(cv2.imdecode(code, cv2.IMREAD_GRAYSCALE)).astype(np.float32)
