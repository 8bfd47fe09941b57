"""Frames with a known number of real, moving faces, held in memory.

Every face is a tile of its own, as in a video conference: a virtual camera sways over a
photograph (of the demo unless others are given). All tiles move all the time, so that
tracking has work and detection differs from frame to frame.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import ceil, cos, pi, sin, sqrt
from pathlib import Path

import cv2
import numpy as np

from fer_edge.engine.detector import FindFaces
from fer_edge.engine.errors import BadInput
from fer_edge.engine.sources.base import Reader, SourceInfo
from fer_edge.engine.sources.demo import FACE_BOX, PHOTOGRAPH
from fer_edge.engine.sources.images import read_image
from fer_edge.engine.sources.listing import find_images
from fer_edge.engine.types import Frame, Image

FPS = 30.0
# The loop's length has no factor in common with 10, so that detection every 10th frame
# meets every picture of it.
LOOP = 47
# Of frames held at once. Larger frames make a shorter loop.
BUDGET_BYTES = 320 << 20
# Height of a face over that of its tile. Tiles differ in shape and size, and detectors in
# taste: the first share at which all faces are found is taken.
FACE_SHARES = (0.45, 0.5, 0.55, 0.6, 0.4, 0.475, 0.525, 0.575)
# Fastest movement of a face, in its own widths a frame: about what a head does at 30 fps.
SPEED = 0.018
ZOOM_SWAY = 0.03


@dataclass(frozen=True)
class Portrait:
    """A photograph, BGR uint8, and the box `(x, y, w, h)` of the face to show."""

    photograph: Image
    box: tuple[float, float, float, float]


def demo_portraits() -> list[Portrait]:
    """The demo's photograph."""
    return [Portrait(read_image(PHOTOGRAPH), FACE_BOX)]


def portraits_of(folder: Path, detector: FindFaces) -> list[Portrait]:
    """Every face that a detector finds in a folder of photographs.

    Raises:
        BadInput: there are no images or no faces in it.
    """
    found = []
    for path in find_images(folder):
        photograph = read_image(path)
        for x, y, w, h in detector(photograph).boxes.tolist():
            found.append(Portrait(photograph, (x, y, w, h)))
    if not found:
        raise BadInput(f"{folder}: the detector finds no face in these photographs")
    return found


@dataclass(frozen=True)
class Scene:
    """A loop of frames in memory.

    Attributes:
        frames: BGR uint8 `(height, width, 3)`.
        faces: shown in every frame; None where nobody knows.
        found: faces that the detector finds, mean over the frames; None with `faces`.
        face_share: height of a face over that of its tile; None where nobody knows.
    """

    frames: list[Image]
    faces: int | None = None
    found: float | None = None
    face_share: float | None = None


def find_scene(
    portraits: Sequence[Portrait], faces: int, width: int, height: int, detector: FindFaces
) -> Scene:
    """The first scene in which the detector finds every face, or the best one.

    What it finds is in `Scene.found`: it may be less than was asked for, and is for
    people to see.
    """
    scenes: list[Scene] = []
    for share in FACE_SHARES:
        frames = render(portraits, faces, width, height, share)
        counts = _counts(frames, detector)
        scene = Scene(frames, faces, float(np.mean(counts)), share)
        if set(counts) == {faces}:
            return scene
        # Of the others only the best so far is kept: scenes are large.
        scenes = [min([*scenes, scene], key=lambda one: abs(faces - (one.found or 0)))]
    return scenes[0]


def mean_found(scene: Scene, detector: FindFaces) -> float:
    """Faces that a detector finds in a scene, a frame."""
    return float(np.mean(_counts(scene.frames, detector)))


def _counts(frames: Sequence[Image], detector: FindFaces) -> list[int]:
    # Every third frame: neighbours are alike, and 16 faces in 1080p take their time.
    return [len(detector(frame)) for frame in frames[::3]]


def render(
    portraits: Sequence[Portrait], faces: int, width: int, height: int, share: float = 0.5
) -> list[Image]:
    """A loop of frames BGR uint8 `(height, width, 3)` with `faces` faces in each.

    Args:
        portraits: shown in turn, every second one mirrored.
        faces: tiles; 0 for a picture without any.
        width, height: of a frame in pixels.
        share: height of a face over that of its tile.
    """
    length = max(11, min(LOOP, BUDGET_BYTES // (width * height * 3)))
    frames = [np.full((height, width, 3), 96, np.uint8) for _ in range(length)]
    columns = max(1, ceil(sqrt(faces)))
    rows = max(1, ceil(faces / columns))
    for tile in range(faces):
        row, column = divmod(tile, columns)
        top, bottom = row * height // rows, (row + 1) * height // rows
        left, right = column * width // columns, (column + 1) * width // columns
        portrait = portraits[tile % len(portraits)]
        photograph, box = portrait.photograph, portrait.box
        if tile % 2:
            photograph = np.ascontiguousarray(photograph[:, ::-1])
            box = (photograph.shape[1] - box[0] - box[2], *box[1:])
        for index, frame in enumerate(frames):
            camera = _camera(box, right - left, (bottom - top, share), index, length, tile)
            frame[top:bottom, left:right] = cv2.warpAffine(
                photograph,
                camera,
                (right - left, bottom - top),
                flags=cv2.INTER_AREA if camera[0, 0] < 1 else cv2.INTER_LINEAR,
                borderMode=cv2.BORDER_REFLECT_101,
            )
    return frames


def _camera(
    box: tuple[float, float, float, float],
    width: int,
    height_and_share: tuple[int, float],
    index: int,
    length: int,
    tile: int,
) -> np.ndarray[tuple[int, int], np.dtype[np.float64]]:
    """The affine map from a photograph to its tile in frame `index` of the loop."""
    phase = 2 * pi * (index / length + tile / 7)
    x, y, w, h = box
    height, share = height_and_share
    zoom = share * height / h * (1 + ZOOM_SWAY * sin(phase + 1))
    reach = SPEED * w * length / (2 * pi)
    across, down = x + w / 2 + reach * sin(phase), y + h / 2 + reach / 2 * cos(phase)
    return np.array([[zoom, 0, width / 2 - zoom * across], [0, zoom, height / 2 - zoom * down]])


class Loop(Reader):
    """Frames from memory, again and again, without an end and without a copy.

    Args:
        frames: BGR uint8 `(h, w, 3)`, shared by all who read: nobody may write into them.
        fps: of the source's own time.
    """

    def __init__(self, frames: Sequence[Image], fps: float = FPS) -> None:
        self.info = SourceInfo("memory", fps, None, live=False)
        self._frames = frames
        self._index = 0

    def read(self) -> Frame:
        """Return the next frame; see `Reader.read`."""
        index = self._index
        self._index += 1
        return Frame(self._frames[index % len(self._frames)], index, index / self.info.fps)

    def close(self) -> None:
        """Do nothing: the frames belong to whoever made them."""
