"""Pictures for the parity check: a user's own, or generated ones."""

from __future__ import annotations

from collections.abc import Sequence
from math import gcd
from pathlib import Path
from typing import cast

import cv2
import numpy as np

from fer_edge.engine.model import Colour, InputFacts
from fer_edge.engine.sources.demo import FACE_BOX, PHOTOGRAPH
from fer_edge.engine.sources.images import read_image
from fer_edge.engine.sources.listing import find_images, list_folder
from fer_edge.engine.types import Floats, Image

MAX_IMAGES = 100
# Of the noise, in pixels.
GRAINS = (1, 2, 4, 8)


def face_pixels(faces: Sequence[Image], colour: Colour) -> Floats:
    """BGR uint8 faces of one size as pixels float32 `(n, h, w, channels)`, 0-255."""
    code = {"gray": cv2.COLOR_BGR2GRAY, "rgb": cv2.COLOR_BGR2RGB}.get(colour)
    seen = [face if code is None else cv2.cvtColor(face, code) for face in faces]
    pixels = np.stack(seen).astype(np.float32)
    return pixels.reshape(*pixels.shape[:3], -1)


def resized_face(image: Image, height: int, width: int) -> Image:
    """A face in a network's size."""
    return _resized(image, width, height, cv2.INTER_AREA)


def _pictures(folder: Path) -> list[Image]:
    """Of a folder; where it has none itself, of the folders in it."""
    inside = not list_folder(folder).pictures
    return [read_image(path) for path in find_images(folder, inside)[:MAX_IMAGES]]


def sampled_exactly(image: Image, see: InputFacts) -> Image:
    """A picture in a size near its own whose samples OpenCV takes where TensorFlow 1 does.

    OpenCV rounds sampling positions to 1/32 pixel: up to four grey levels of noise at sizes that
    do not divide, which says nothing about a conversion. Multiples of 32 leave next to nothing
    to be rounded, and their pictures stay as they are.
    """
    height, width = image.shape[:2]
    sides = [(width, see.width), (height, see.height)]
    if see.resize != "tf1_bilinear" or not any(wanted % 32 for _, wanted in sides):
        return image
    steps = [wanted // gcd(wanted, 32) for _, wanted in sides]
    across, down = (
        max(1, round(side / step)) * step for (side, _), step in zip(sides, steps, strict=True)
    )
    return _resized(image, across, down, cv2.INTER_AREA)


def parity_images(folder: Path | None) -> list[Image]:
    """BGR uint8 pictures for a detector: those of a folder, or views of the demo photograph.

    Raises:
        BadInput: the folder holds no images.
    """
    if folder is not None:
        return _pictures(folder)
    photograph = read_image(PHOTOGRAPH)
    views = [
        photograph,
        cv2.resize(photograph, (640, 480), interpolation=cv2.INTER_AREA),
        photograph[:320, 60:400],
        cv2.resize(photograph[:, ::-1], (1280, 720), interpolation=cv2.INTER_LINEAR),
    ]
    noise = np.random.default_rng(0).integers(0, 256, (480, 640, 3), np.uint8)
    return [np.ascontiguousarray(view) for view in (*views, noise)]


def parity_faces(folder: Path | None, height: int, width: int) -> list[Image]:
    """BGR uint8 faces `(height, width, 3)` for an expression model: of a folder, or the
    demo face, moved and relit, and noise of several grains."""
    if folder is not None:
        faces = _pictures(folder)
    else:
        x, y, w, h = (int(value) for value in FACE_BOX)
        photograph = read_image(PHOTOGRAPH)
        rng = np.random.default_rng(0)
        faces = []
        # With the grains below, as many as make one part in a hundred one face.
        for _ in range(MAX_IMAGES - len(GRAINS)):
            dx, dy = rng.integers(-12, 13, 2)
            face = photograph[y + dy : y + dy + h, x + dx : x + dx + w].astype(np.float32)
            lit = face * rng.uniform(0.4, 1.5) + rng.uniform(-40, 40)
            faces.append(np.clip(lit, 0, 255).astype(np.uint8))
        for grain in GRAINS:
            small = (max(1, width // grain), max(1, height // grain))
            noise = rng.integers(0, 256, (small[1], small[0], 3), np.uint8)
            faces.append(_resized(noise, width, height, cv2.INTER_CUBIC))
    return [resized_face(face, height, width) for face in faces]


def _resized(image: Image, width: int, height: int, how: int) -> Image:
    return cast(Image, cv2.resize(image, (width, height), interpolation=how))
