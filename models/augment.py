"""Random affine warps, flips, brightness and erasing for gray faces."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt


@dataclass(frozen=True)
class Augmentation:
    """How far training faces are moved and changed.

    Attributes:
        rotation_deg: largest in-plane rotation to either side.
        shift: largest shift, as a share of the side.
        zoom: largest relative change of scale to either side.
        contrast: largest relative change of contrast to either side.
        brightness: largest change of brightness in grey levels.
        erase_probability: chance that a random rectangle is replaced by noise
            (Zhong et al., "Random Erasing Data Augmentation", 2017).
    """

    rotation_deg: float = 15.0
    shift: float = 0.10
    zoom: float = 0.15
    contrast: float = 0.3
    brightness: float = 20.0
    erase_probability: float = 0.25


def augment(
    image: npt.NDArray[np.uint8], how: Augmentation, rng: np.random.Generator
) -> npt.NDArray[np.float32]:
    """Return a changed copy of a gray face, float32 `(h, w)`, 0-255."""
    height, width = image.shape
    angle = rng.uniform(-how.rotation_deg, how.rotation_deg)
    scale = 1.0 + rng.uniform(-how.zoom, how.zoom)
    matrix = cv2.getRotationMatrix2D(((width - 1) / 2, (height - 1) / 2), angle, scale)
    matrix[:, 2] = matrix[:, 2] + rng.uniform(-how.shift, how.shift, 2) * (width, height)
    if rng.random() < 0.5:
        matrix = matrix @ np.array([[-1.0, 0, width - 1], [0, 1, 0], [0, 0, 1]])
    moved = cv2.warpAffine(
        image, matrix, (width, height), flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REFLECT_101
    ).astype(np.float32)
    contrast = 1.0 + rng.uniform(-how.contrast, how.contrast)
    mean = moved.mean()
    moved = (moved - mean) * contrast + mean + rng.uniform(-how.brightness, how.brightness)
    if rng.random() < how.erase_probability:
        _erase(moved, rng)
    return np.clip(moved, 0, 255, out=moved)


def _erase(image: npt.NDArray[np.float32], rng: np.random.Generator) -> None:
    height, width = image.shape
    h, w = rng.integers(height // 8, height // 3), rng.integers(width // 8, width // 3)
    y, x = rng.integers(0, height - h), rng.integers(0, width - w)
    image[y : y + h, x : x + w] = rng.uniform(0, 255, (h, w))
