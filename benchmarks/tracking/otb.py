"""Real sequences in the form of the Online Tracking Benchmark: `img/` and `groundtruth_rect.txt`.

Y. Wu, J. Lim, M.-H. Yang: "Online Object Tracking: A Benchmark", CVPR 2013.
"""

from __future__ import annotations

import re
from pathlib import Path

from fer_edge.engine.errors import BadInput, InputNotFound
from fer_edge.engine.sources.images import read_image
from fer_edge.engine.sources.listing import find_images

from .render import Truth
from .sequences import Sequence

BOXES_FILE = "groundtruth_rect.txt"


def read_otb(folder: Path, fps: float = 30.0) -> Sequence:
    """Read one sequence of one target.

    Args:
        folder: with `img/` and `groundtruth_rect.txt`, a line `x, y, w, h` a frame, in pixels
            from 1, parted by commas, tabs or spaces.
        fps: of its frames; the form does not tell.

    Raises:
        InputNotFound: a part is missing.
        BadInput: a line is no box, or there are more boxes than frames.
    """
    path = folder / BOXES_FILE
    if not path.is_file() or not (folder / "img").is_dir():
        raise InputNotFound(f"{folder}: needs img/ and {BOXES_FILE}")
    boxes = [_box(line, path) for line in path.read_text().splitlines() if line.strip()]
    images = find_images(folder / "img")
    if len(images) < len(boxes):
        raise BadInput(f"{path}: {len(boxes)} boxes for {len(images)} images")
    frames = tuple(read_image(image) for image, _ in zip(images, boxes, strict=False))
    return Sequence("otb", folder.name, fps, frames, tuple({1: box} for box in boxes))


def _box(line: str, path: Path) -> Truth:
    try:
        x, y, w, h = (float(word) for word in re.split(r"[,\s]+", line.strip()))
    except ValueError:
        raise BadInput(f"{path}: {line.strip()!r} is no box x, y, w, h") from None
    # A target that is out of view has a box without a size, or one of nan.
    if not (w > 0 and h > 0):
        return Truth((0.0, 0.0, 0.0, 0.0), 0.0)
    return Truth((x - 1, y - 1, w, h), 1.0)
