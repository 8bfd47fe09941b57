"""Random changes of gray faces: where a box lies, light, what covers a face, the camera."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

from fer_edge.engine.errors import BadInput

from . import camera


@dataclass(frozen=True)
class Augmentation:
    """How far training faces are moved and changed.

    Attributes:
        mirror: chance of a mirror image.
        rotation_deg: largest in-plane rotation to either side.
        shift: largest shift, as a share of the side.
        zoom: largest relative change of scale to either side.
        stretch: largest relative change of width over height to either side, as boxes of
            detectors differ.
        contrast: largest relative change of contrast to either side.
        brightness: largest change of brightness in grey levels.
        erase_probability: chance that a random rectangle becomes one random grey level
            (Zhong et al., "Random Erasing Data Augmentation", arXiv 1708.04896; their
            noise triples the variance behind the first kernels, and batch
            normalisation then expects it of clean faces too).
        gamma: largest logarithm of the exponent of brightness to either side.
        camera_probability: chance of each of the four below.
        least_side: pixels a side of the smallest face; one is shrunk to between that and its own
            size and enlarged again. 0 for none.
        blur: largest deviation of a Gaussian blur in pixels.
        noise: largest deviation of Gaussian noise in grey levels.
        jpeg_quality: the worst quality of JPEG, 1-100; 100 for none.

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
    stretch: float = 0.0
    gamma: float = 0.0
    camera_probability: float = 0.2
    least_side: int = 0
    blur: float = 0.0
    noise: float = 0.0
    jpeg_quality: int = 100

    def __post_init__(self) -> None:
        for name, value in vars(self).items():
            low, high = _LIMITS.get(name, (0.0, 1.0))
            if not low <= value <= high:
                raise BadInput(f"augmentation {name} {value:g} is outside {low:g}-{high:g}")


_LIMITS = {
    "rotation_deg": (0.0, 180.0),
    "shift": (0.0, 0.5),
    "zoom": (0.0, 0.9),
    "stretch": (0.0, 0.9),
    "brightness": (0.0, 255.0),
    "gamma": (0.0, 2.0),
    "least_side": (0, 48),
    "blur": (0.0, 10.0),
    "noise": (0.0, 100.0),
    "jpeg_quality": (1, 100),
}


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
    for index in np.flatnonzero(rng.random(count) < how.erase_probability):
        _erase(moved[index], rng)
    _resolve(moved, how, rng)
    _light(moved, how, rng)
    _record(moved, how, rng)
    return moved


def _light(faces: npt.NDArray[np.float32], how: Augmentation, rng: np.random.Generator) -> None:
    """Change contrast, brightness and gamma; what comes out is within 0-255."""
    each = (len(faces), 1, 1)
    contrast = 1 + rng.uniform(-how.contrast, how.contrast, each).astype(np.float32)
    brightness = rng.uniform(-how.brightness, how.brightness, each).astype(np.float32)
    mean = faces.mean(axis=(1, 2), keepdims=True)
    faces -= mean
    faces *= contrast
    faces += mean + brightness
    np.clip(faces, 0, 255, out=faces)
    if how.gamma:
        exponent = np.exp(rng.uniform(-how.gamma, how.gamma, each)).astype(np.float32)
        faces /= 255
        np.power(faces, exponent, out=faces)
        faces *= 255


def _resolve(faces: npt.NDArray[np.float32], how: Augmentation, rng: np.random.Generator) -> None:
    """Lose details, as in small faces and out of focus."""
    if how.least_side:
        for index in _some(faces, how, rng):
            side = int(rng.integers(how.least_side, faces.shape[1]))
            faces[index] = camera.low_resolution(faces[index], side)
    if how.blur:
        for index in _some(faces, how, rng):
            faces[index] = camera.blur(faces[index], rng.uniform(0.3, max(how.blur, 0.3)))


def _record(faces: npt.NDArray[np.float32], how: Augmentation, rng: np.random.Generator) -> None:
    """Add what a sensor and a compression leave."""
    if how.noise:
        for index in _some(faces, how, rng):
            faces[index] = camera.noise(faces[index], rng.uniform(0, how.noise), rng)
    if how.jpeg_quality < 100:
        for index in _some(faces, how, rng):
            quality = int(rng.integers(how.jpeg_quality, 100))
            faces[index] = camera.jpeg(faces[index], quality)


def _some(
    faces: npt.NDArray[np.float32], how: Augmentation, rng: np.random.Generator
) -> npt.NDArray[np.int64]:
    return np.flatnonzero(rng.random(len(faces)) < how.camera_probability)


def _affine(
    how: Augmentation, count: int, height: int, width: int, rng: np.random.Generator
) -> npt.NDArray[np.float64]:
    """Random maps `(n, 2, 3)` from a pixel of the changed face to one of the original."""
    angle = np.deg2rad(rng.uniform(-how.rotation_deg, how.rotation_deg, count))
    scale = 1 + rng.uniform(-how.zoom, how.zoom, count)
    side = np.where(rng.random(count) < how.mirror, -1.0, 1.0)
    shift = rng.uniform(-how.shift, how.shift, (count, 2)) * (width, height)
    cosine, sine = np.cos(angle) / scale, np.sin(angle) / scale
    if how.stretch:
        side = side / (1 + rng.uniform(-how.stretch, how.stretch, count))
    turn = np.stack([np.stack([cosine * side, sine], 1), np.stack([-sine * side, cosine], 1)], 1)
    centre = np.array([(width - 1) / 2, (height - 1) / 2])
    offset = centre - turn @ centre - shift
    return np.concatenate([turn, offset[..., None]], axis=2)


def _erase(image: npt.NDArray[np.float32], rng: np.random.Generator) -> None:
    height, width = image.shape
    h, w = rng.integers(height // 8, height // 3), rng.integers(width // 8, width // 3)
    y, x = rng.integers(0, height - h), rng.integers(0, width - w)
    image[y : y + h, x : x + w] = rng.uniform(0, 255)
