"""Pictures as cameras spoil them, with the faces where they then are.

Each distortion makes new pictures out of one, and says where each of its larger faces is in
them. What is measured is the share of these faces that a detector finds at its own default
score: a face is found when the IoU of a detection with its box is `LEAST_IOU` or more.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from math import cos, radians, sin

import cv2
import numpy as np

from fer_edge.engine.geometry import iou_matrix, turned
from fer_edge.engine.types import Boxes, Detections, Image

# Of a detection and a face. Boxes of tilted and half visible faces are a matter of taste.
LEAST_IOU = 0.4
# Shorter side of the faces asked for, in pixels of the picture before it is distorted.
LEAST_SIDE = 80
TILTS = (-45.0, 45.0)
BLUR_SIGMA = 3.0
GAMMA = 3.0
# Close-ups: the frame, and the height of the face in it over that of the frame.
CLOSE_SIZE = (640, 480)
CLOSE_SHARES = (0.7, 0.8, 0.9, 1.0, 1.1)


@dataclass(frozen=True)
class Distorted:
    """A picture made out of another.

    Attributes:
        image: BGR uint8 `(h, w, 3)`.
        boxes: float32 `(n, 4)`, of the faces asked for, as they lie in `image`.
    """

    image: Image
    boxes: Boxes


Distort = Callable[[Image, Boxes], Iterator[Distorted]]
"""BGR uint8 `(h, w, 3)` and the boxes `(n, 4)` of its larger faces to distorted pictures."""


def found(detections: Detections, boxes: Boxes) -> int:
    """How many of the boxes `(n, 4)` a detection overlaps enough."""
    overlaps = iou_matrix(boxes, detections.boxes)
    return int((overlaps.max(axis=1, initial=0.0) >= LEAST_IOU).sum())


def plain(image: Image, boxes: Boxes) -> Iterator[Distorted]:
    """The picture as it is, to compare with."""
    yield Distorted(image, boxes)


def tilt(image: Image, boxes: Boxes) -> Iterator[Distorted]:
    """The whole picture turned by 45 degrees, either way, on a black ground that holds all."""
    height, width = image.shape[:2]
    for degrees in TILTS:
        turn = cv2.getRotationMatrix2D((width / 2, height / 2), degrees, 1.0)
        c, s = abs(cos(radians(degrees))), abs(sin(radians(degrees)))
        size = round(width * c + height * s), round(width * s + height * c)
        turn[:, 2] += (size[0] - width) / 2, (size[1] - height) / 2
        made: Image = cv2.warpAffine(image, turn, size)  # type: ignore[assignment]
        yield Distorted(made, turned(boxes, turn))


def blur(image: Image, boxes: Boxes) -> Iterator[Distorted]:
    """Gaussian blur with a sigma of 3 pixels."""
    blurred: Image = cv2.GaussianBlur(image, (0, 0), BLUR_SIGMA)  # type: ignore[assignment]
    yield Distorted(blurred, boxes)


def gamma(image: Image, boxes: Boxes) -> Iterator[Distorted]:
    """Grey levels, 0-1, to the power of 3, which is dark, and of 1/3, which is bright."""
    for power in (GAMMA, 1 / GAMMA):
        table = np.rint(255 * (np.arange(256) / 255) ** power).astype(np.uint8)
        yield Distorted(table[image], boxes)


def close_up(image: Image, boxes: Boxes) -> Iterator[Distorted]:
    """Each face in the middle of a frame of 640x480, 70 to 110 % as high as the frame.

    Beyond the picture its border pixels are repeated. Boxes are cut off at the frame.
    """
    width, height = CLOSE_SIZE
    for x, y, w, h in boxes.astype(np.float64):
        for share in CLOSE_SHARES:
            zoom = share * height / h
            left, top = width / 2 - zoom * (x + w / 2), height / 2 - zoom * (y + h / 2)
            camera = np.array([[zoom, 0, left], [0, zoom, top]])
            flags = cv2.INTER_CUBIC if zoom > 1 else cv2.INTER_LINEAR
            frame: Image = cv2.warpAffine(  # type: ignore[assignment]
                image, camera, CLOSE_SIZE, flags=flags, borderMode=cv2.BORDER_REPLICATE
            )
            x0, y0 = max(zoom * x + left, 0), max(zoom * y + top, 0)
            x1 = min(zoom * (x + w) + left, width)
            y1 = min(zoom * (y + h) + top, height)
            yield Distorted(frame, np.array([[x0, y0, x1 - x0, y1 - y0]], np.float32))


DISTORTIONS: Mapping[str, Distort] = {
    "plain": plain,
    "tilt45": tilt,
    "blur3": blur,
    "gamma3": gamma,
    "closeup": close_up,
}
