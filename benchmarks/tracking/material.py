"""Real faces and real backgrounds, out of photographs."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt

from fer_edge.engine.errors import BadInput
from fer_edge.engine.sources.demo import FACE_BOX, PHOTOGRAPH
from fer_edge.engine.sources.images import read_image
from fer_edge.engine.types import Image

Box = tuple[float, float, float, float]
# Boxes of the photographs in a folder: {"name.jpg": {"faces": [{"box_xyxy": [..]}]}}.
BOXES_FILE = "reference_detections.json"
# Wider photographs are shrunk, so that faces are as large as a camera sees them.
MAX_WIDTH = 960


@dataclass(frozen=True)
class Photograph:
    """A picture and the faces in it, `(x, y, w, h)` in its pixels."""

    name: str
    image: Image
    boxes: tuple[Box, ...]


@dataclass(frozen=True)
class Head:
    """A head cut out of a photograph.

    Attributes:
        image: BGR uint8 `(h, w, 3)`.
        alpha: float32 `(h, w)`, 0-1: an ellipse with a soft rim.
        box: of the face, in the picture.
    """

    image: Image
    alpha: npt.NDArray[np.float32]
    box: Box


def read_photographs(folder: Path | None) -> list[Photograph]:
    """The demo's photograph, and those of a folder with a `reference_detections.json`.

    Raises:
        BadInput: the folder does not say where its faces are.
    """
    photographs = [Photograph(PHOTOGRAPH.name, read_image(PHOTOGRAPH), (FACE_BOX,))]
    if folder is None:
        return photographs
    if not (folder / BOXES_FILE).is_file():
        raise BadInput(f"{folder}: no {BOXES_FILE} with the boxes of its faces")
    for name, entry in sorted(json.loads((folder / BOXES_FILE).read_text()).items()):
        corners = [face["box_xyxy"] for face in entry["faces"]]
        image = read_image(folder / name)
        factor = min(1.0, MAX_WIDTH / image.shape[1])
        image = cv2.resize(image, None, fx=factor, fy=factor, interpolation=cv2.INTER_AREA)  # type: ignore[assignment]
        boxes = tuple(
            (x0 * factor, y0 * factor, (x1 - x0) * factor, (y1 - y0) * factor)
            for x0, y0, x1, y1 in corners
        )
        photographs.append(Photograph(name, image, boxes))
    return photographs


def cut_heads(photographs: list[Photograph]) -> list[Head]:
    """All heads that lie whole in their photographs, and each mirrored and darker."""
    heads = []
    for photograph in photographs:
        for box in photograph.boxes:
            head = _cut_head(photograph.image, box)
            if head is not None:
                heads += [head, _disguised(head)]
    return heads


def _cut_head(image: Image, box: Box) -> Head | None:
    x, y, w, h = box
    left, top = round(x - 0.3 * w), round(y - 0.3 * h)
    right, bottom = round(x + 1.3 * w), round(y + 1.25 * h)
    if left < 0 or top < 0 or right > image.shape[1] or bottom > image.shape[0]:
        return None
    part = np.ascontiguousarray(image[top:bottom, left:right])
    height, width = part.shape[:2]
    across = (np.arange(width) + 0.5 - width / 2) / (width / 2)
    down = (np.arange(height) + 0.5 - height / 2) / (height / 2)
    radius = np.hypot(across[None, :], down[:, None])
    alpha = np.clip((1 - radius) / 0.06, 0, 1).astype(np.float32)
    return Head(part, alpha, (x - left, y - top, w, h))


def _disguised(head: Head) -> Head:
    """Another person for a tracker: mirrored, darker, of another tint."""
    image = cv2.convertScaleAbs(head.image[:, ::-1] * np.array([0.9, 0.75, 0.6]))
    x, y, w, h = head.box
    mirrored = (head.image.shape[1] - x - w, y, w, h)
    return Head(image, np.ascontiguousarray(head.alpha[:, ::-1]), mirrored)
