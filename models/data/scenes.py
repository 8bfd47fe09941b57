"""Labelled crops of faces in pictures as cameras take them, for a detector to find.

A crop lies, enlarged or made smaller, on a part of the demo's photograph without its face.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import cv2
import numpy as np
import numpy.typing as npt

from fer_edge.engine.detector import FindFaces
from fer_edge.engine.errors import BadInput
from fer_edge.engine.sources.demo import PHOTOGRAPH
from fer_edge.engine.sources.images import read_image
from fer_edge.engine.types import Detections, Floats, Image

from .crop import FaceCropper
from .faces import Gray, LabelledFaces, as_gray

# Small enough for every detector to see faces of few pixels in their own size.
WIDTH, HEIGHT = 320, 240
SMALLEST, LARGEST = 16, 160
# Where sizes are drawn: of a face that fills a quarter to two thirds of the picture's height.
USUAL = (60, 160)
# Around a crop, in its sides.
MARGIN = 0.25
# Flag and space shuttle beside the face: (x, y, w, h) in the photograph.
_FREE = ((0, 0, 150, 200), (290, 0, 222, 512))


@dataclass(frozen=True)
class Scene:
    """A picture with a crop of a face in it.

    Attributes:
        image: BGR uint8 `(240, 320, 3)`.
        square: where the crop lies, `(x, y, side)` in pixels.
    """

    image: Image
    square: tuple[int, int, int]


def scenes(faces: Gray, sides: Sequence[int], seed: int = 0) -> Iterator[Scene]:
    """A scene for each face; the same seed makes the same scenes.

    Args:
        faces: uint8 `(n, h, h)`.
        sides: of each face in its scene, in pixels, 16-160.
        seed: of places and backgrounds.

    Raises:
        BadInput: a side outside its range.
    """
    if not all(SMALLEST <= side <= LARGEST for side in sides):
        raise BadInput(f"faces in scenes have {SMALLEST} to {LARGEST} pixels a side")
    photograph, rng = read_image(PHOTOGRAPH), np.random.default_rng(seed)
    for face, side in zip(faces, sides, strict=True):
        image = _background(photograph, rng)
        yield Scene(image, _paste(image, face, side, rng))


def usual_sides(count: int, seed: int = 0) -> list[int]:
    """Sides for faces in scenes, in pixels: as many of each size as of its double."""
    low, high = np.log(USUAL)
    drawn = np.exp(np.random.default_rng(seed).uniform(low, high, count))
    return [round(side) for side in drawn]


def found_in(scene: Scene, detector: FindFaces) -> Detections | None:
    """The best face whose middle lies in the crop; None without one."""
    found = detector(scene.image)
    boxes = found.boxes
    x, y, side = scene.square
    middles = boxes[:, :2] + boxes[:, 2:] / 2 - (x, y)
    inside = ((middles > 0) & (middles < side)).all(axis=1)
    return found.take(np.flatnonzero(inside)[:1]) if inside.any() else None


def crops_in_scenes(
    faces: LabelledFaces, sides: Sequence[int], cropper: FaceCropper, seed: int = 0
) -> LabelledFaces:
    """Those of the faces that a detector finds in scenes, with the crops that it leads to.

    Args:
        faces: see `scenes` for the rest.
        sides, seed: of the scenes.
        cropper: finds faces and cuts them out.
    """
    found, crops = [], []
    for number, scene in enumerate(scenes(faces.images, sides, seed)):
        face = found_in(scene, cropper.find)
        if face is not None:
            found.append(number)
            crops.append(as_gray(cropper.cut(scene.image, face)))
    return replace(faces.take(np.array(found, np.int64)), crops=tuple(crops))


def _background(photograph: Image, rng: np.random.Generator) -> Image:
    """A part of what is beside the face, mirrored or not, lighter or darker."""
    x, y, width, height = _FREE[rng.integers(len(_FREE))]
    across = rng.uniform(0.6, 1) * min(width, height * WIDTH / HEIGHT)
    down = across * HEIGHT / WIDTH
    left, top = x + rng.uniform(0, width - across), y + rng.uniform(0, height - down)
    part = photograph[int(top) : int(top + down), int(left) : int(left + across)]
    large = cv2.resize(part, (WIDTH, HEIGHT), interpolation=cv2.INTER_CUBIC)
    if rng.random() < 0.5:
        large = large[:, ::-1]
    lit = np.clip(large.astype(np.float32) * rng.uniform(0.5, 1.2), 0, 255)
    return np.ascontiguousarray(np.rint(lit).astype(np.uint8))


def _paste(
    image: Image, face: npt.NDArray[np.uint8], side: int, rng: np.random.Generator
) -> tuple[int, int, int]:
    """Put a crop anywhere in the picture; returns its `(x, y, side)`."""
    margin = round(MARGIN * side)
    patch, weight = _surrounded(face, side, margin)
    x = int(rng.integers(WIDTH - len(patch) + 1))
    y = int(rng.integers(HEIGHT - len(patch) + 1))
    place = image[y : y + len(patch), x : x + len(patch)]
    place[...] = np.rint(place + weight[..., None] * (patch[..., None] - place))
    return x + margin, y + margin, side


def _surrounded(face: npt.NDArray[np.uint8], side: int, margin: int) -> tuple[Floats, Floats]:
    """A crop between what may be around it, and how much each pixel of both counts, 0-1.

    Its edge goes on, blurred, and fades: where a face ends with the crop, detectors take the
    edge for that of the head, and their boxes are too low.
    """
    how = cv2.INTER_AREA if side <= len(face) else cv2.INTER_CUBIC
    large = cv2.resize(face, (side, side), interpolation=how)
    wide = cv2.copyMakeBorder(
        large, margin, margin, margin, margin, borderType=cv2.BORDER_REPLICATE
    )
    patch = cv2.GaussianBlur(wide, (0, 0), 0.06 * side).astype(np.float32)
    patch[margin:-margin, margin:-margin] = large
    fade = np.linspace(0, 1, margin, endpoint=False)
    profile = np.concatenate((fade, np.ones(side), fade[::-1]))
    return patch, np.minimum(profile[:, None], profile).astype(np.float32)
