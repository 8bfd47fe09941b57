"""Random affine warps, mirrors, brightness and erasing for gray faces."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

from fer_edge.engine.errors import BadInput


@dataclass(frozen=True)
class Augmentation:
    """How far training faces are moved and changed.

    Attributes:
        mirror: chance of a mirror image.
        rotation_deg: largest in-plane rotation to either side.
        shift: largest shift, as a share of the side.
        zoom: largest relative change of scale to either side.
        contrast: largest relative change of contrast to either side.
        brightness: largest change of brightness in grey levels.
        erase_probability: chance that a random rectangle becomes one random grey level
            (Zhong et al., "Random Erasing Data Augmentation", arXiv 1708.04896; their
            noise triples the variance behind the first kernels, and batch
            normalisation then expects it of clean faces too).

    Raises:
        BadInput: a value outside its range.
    """

    mirror: float = 0.5
    rotation_deg: float = 15.0
    shift: float = 0.10
    zoom: float = 0.15
    contrast: float = 0.3
    brightness: float = 20.0
    erase_probability: float = 0.25

    def __post_init__(self) -> None:
        limits = {"rotation_deg": 180.0, "shift": 0.5, "zoom": 0.9, "brightness": 255.0}
        for name, value in vars(self).items():
            if not 0 <= value <= limits.get(name, 1.0):
                raise BadInput(
                    f"augmentation {name} {value:g} is outside 0-{limits.get(name, 1):g}"
                )


def augment(
    images: npt.NDArray[np.uint8], how: Augmentation, rng: np.random.Generator
) -> npt.NDArray[np.float32]:
    """Return changed copies of gray faces `(n, h, w)`, float32, 0-255."""
    count, height, width = images.shape
    moved = np.empty(images.shape, np.float32)
    flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    for face, image, matrix in zip(
        moved, images, _affine(how, count, height, width, rng), strict=True
    ):
        face[...] = cv2.warpAffine(
            image, matrix, (width, height), flags=flags, borderMode=cv2.BORDER_REFLECT_101
        )
    contrast = 1 + rng.uniform(-how.contrast, how.contrast, (count, 1, 1)).astype(np.float32)
    brightness = rng.uniform(-how.brightness, how.brightness, (count, 1, 1)).astype(np.float32)
    mean = moved.mean(axis=(1, 2), keepdims=True)
    moved -= mean
    moved *= contrast
    moved += mean + brightness
    for index in np.flatnonzero(rng.random(count) < how.erase_probability):
        _erase(moved[index], rng)
    return np.clip(moved, 0, 255, out=moved)


def _affine(
    how: Augmentation, count: int, height: int, width: int, rng: np.random.Generator
) -> npt.NDArray[np.float64]:
    """Random maps `(n, 2, 3)` from a pixel of the changed face to one of the original."""
    angle = np.deg2rad(rng.uniform(-how.rotation_deg, how.rotation_deg, count))
    scale = 1 + rng.uniform(-how.zoom, how.zoom, count)
    side = np.where(rng.random(count) < how.mirror, -1.0, 1.0)
    shift = rng.uniform(-how.shift, how.shift, (count, 2)) * (width, height)
    cosine, sine = np.cos(angle) / scale, np.sin(angle) / scale
    turn = np.stack([np.stack([cosine * side, sine], 1), np.stack([-sine * side, cosine], 1)], 1)
    centre = np.array([(width - 1) / 2, (height - 1) / 2])
    offset = centre - turn @ centre - shift
    return np.concatenate([turn, offset[..., None]], axis=2)


def _erase(image: npt.NDArray[np.float32], rng: np.random.Generator) -> None:
    height, width = image.shape
    h, w = rng.integers(height // 8, height // 3), rng.integers(width // 8, width // 3)
    y, x = rng.integers(0, height - h), rng.integers(0, width - w)
    image[y : y + h, x : x + w] = rng.uniform(0, 255)
