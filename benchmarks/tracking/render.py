"""Frames with exact ground truth: a background, heads and things before it, and a camera."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import cv2
import numpy as np
import numpy.typing as npt

from fer_edge.engine.types import Image

from .material import Box, Head

WIDTH, HEIGHT = 640, 480
Matrix = npt.NDArray[np.float64]
Motion = Callable[[float], Matrix]
"""Time in seconds to a homography `(3, 3)` into the frame."""


@dataclass(frozen=True)
class Truth:
    """Where a face is.

    Attributes:
        box: `(x, y, w, h)` in pixels of the frame; it may stick out.
        visible: 0-1, share of the face that is in the frame and uncovered.
    """

    box: Box
    visible: float


@dataclass(frozen=True)
class Actor:
    """A head with its own motion."""

    id: int
    head: Head
    motion: Motion


@dataclass(frozen=True)
class Thing:
    """A picture that covers what lies behind it; all of it is opaque."""

    image: Image
    motion: Motion


@dataclass(frozen=True)
class Scene:
    """What there is to see.

    Attributes:
        background: BGR uint8, moved by `camera`.
        faces: of the background, by id, in its pixels.
        layers: heads and things, from back to front.
        shutter_s: how long a frame is exposed; motion in that time is blurred.
        finish: what light and sensor make of a frame, given its time.
    """

    background: Image
    camera: Motion
    faces: dict[int, Box] = field(default_factory=dict)
    layers: tuple[Actor | Thing, ...] = ()
    shutter_s: float = 0.0
    finish: Callable[[Image, float], Image] = lambda image, time_s: image


def render(scene: Scene, time_s: float) -> tuple[Image, dict[int, Truth]]:
    """The frame of that time, BGR uint8 `(480, 640, 3)`, and the faces by id."""
    image, truth = _instant(scene, time_s)
    if scene.shutter_s > 0:
        shares = np.linspace(-0.5, 0.5, 7) * scene.shutter_s
        total = sum(_instant(scene, time_s + share)[0].astype(np.float32) for share in shares)
        image = np.asarray(total / len(shares) + 0.5, np.uint8)
    return scene.finish(image, time_s), truth


def _instant(scene: Scene, time_s: float) -> tuple[Image, dict[int, Truth]]:
    size = (WIDTH, HEIGHT)
    camera = scene.camera(time_s)
    image = cv2.warpPerspective(
        scene.background, camera, size, flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REFLECT_101
    )
    boxes = {id_: mapped(box, camera) for id_, box in scene.faces.items()}
    owner = np.zeros((HEIGHT, WIDTH), np.int32)
    depth = dict.fromkeys(boxes, 0)
    for number, layer in enumerate(scene.layers, start=1):
        matrix = layer.motion(time_s)
        if isinstance(layer, Actor):
            picture = cv2.warpPerspective(layer.head.image, matrix, size, flags=cv2.INTER_LINEAR)
            alpha = cv2.warpPerspective(layer.head.alpha, matrix, size, flags=cv2.INTER_LINEAR)
            boxes[layer.id], depth[layer.id] = mapped(layer.head.box, matrix), number
        else:
            picture = cv2.warpPerspective(layer.image, matrix, size, flags=cv2.INTER_LINEAR)
            whole = np.ones(layer.image.shape[:2], np.float32)
            alpha = cv2.warpPerspective(whole, matrix, size, flags=cv2.INTER_NEAREST)
        x, y, w, h = cv2.boundingRect((alpha > 0).astype(np.uint8))
        where = np.s_[y : y + h, x : x + w]
        share = alpha[where][..., None]
        image[where] = image[where] * (1 - share) + picture[where] * share + 0.5
        owner[alpha > 0.5] = number
    truth = {id_: Truth(box, _visible(box, depth[id_], owner)) for id_, box in boxes.items()}
    return image, truth  # type: ignore[return-value]


def mapped(box: Box, matrix: Matrix) -> Box:
    """An upright box of the size and at the place of the mapped one."""
    x, y, w, h = box
    corners = np.array([[x, y], [x + w, y], [x + w, y + h], [x, y + h]], np.float64)
    a, b, c, d = cv2.perspectiveTransform(corners[None], matrix)[0]
    middle = (a + b + c + d) / 4
    width = (np.linalg.norm(b - a) + np.linalg.norm(c - d)) / 2
    height = (np.linalg.norm(d - a) + np.linalg.norm(c - b)) / 2
    return (
        float(middle[0] - width / 2), float(middle[1] - height / 2), float(width), float(height)
    )  # fmt: skip


def _visible(box: Box, depth: int, owner: npt.NDArray[np.int32]) -> float:
    x, y, w, h = box
    # The corners of a box are no face.
    left, right = round(x + 0.1 * w), round(x + 0.9 * w)
    top, bottom = round(y + 0.1 * h), round(y + 0.9 * h)
    inside = owner[max(top, 0) : max(bottom, 0), max(left, 0) : max(right, 0)]
    total = max((right - left) * (bottom - top), 1)
    return float(np.count_nonzero(inside <= depth)) / total
