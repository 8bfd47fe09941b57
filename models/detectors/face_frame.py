"""Measures how a detector's boxes lie on pictures of faces, for its facts.

    python -m fer_edge.models.detectors.face_frame fer2013.csv --detector default

A network for expressions learns from faces that someone cut out; a detector cuts them out its own
way. Training faces are put into scenes, enlarged to 60 to 160 pixels, and the detector finds them:
the medians of its boxes say what to cut so that the network sees what it learned from. What is
printed last goes to `fer-convert --face-frame`, or into the code of a detector that is no network.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt

from fer_edge.engine.config import DETECTORS, PipelineConfig
from fer_edge.engine.detector import FindFaces
from fer_edge.engine.errors import BadInput, FerError
from fer_edge.engine.model import FaceFrame
from fer_edge.engine.stages import open_stages

from ..data import load_dataset
from ..data.faces import Gray
from ..data.scenes import found_in, scenes, usual_sides

FACES = 600
# Fewer say little about a median.
LEAST_FOUND = 20
_TRAINING = ("Training", "train", "all")


def measured_boxes(faces: Gray, detector: FindFaces, seed: int = 0) -> npt.NDArray[np.float64]:
    """How a detector frames faces.

    Args:
        faces: gray uint8 `(n, h, h)`.
        detector: finds them in scenes.
        seed: of sizes, places and backgrounds.

    Returns:
        `(m, 4)` of those it finds: width and height of the box, and how far its middle is to the
        right of the crop's and below it, in sides of the crop.
    """
    rows = []
    for scene in scenes(faces, usual_sides(len(faces), seed), seed):
        face = found_in(scene, detector)
        if face is not None:
            (box,) = face.boxes
            x, y, side = scene.square
            middle = box[:2] + box[2:] / 2 - (x, y)
            rows.append((*box[2:] / side, *middle / side - 0.5))
    return np.array(rows, np.float64).reshape(-1, 4)


def face_frame(boxes: npt.NDArray[np.float64]) -> FaceFrame:
    """The medians of `measured_boxes`, to hundredths.

    Raises:
        BadInput: too few faces for a median.
    """
    if len(boxes) < LEAST_FOUND:
        raise BadInput(f"only {len(boxes)} faces were found, {LEAST_FOUND} are needed")
    return FaceFrame(*(round(float(value), 2) for value in np.median(boxes, axis=0)))


def main(arguments: Sequence[str] | None = None) -> int:
    """Command line; returns the exit status."""
    parser = argparse.ArgumentParser(
        description="Measure how a detector's boxes lie on FER2013's pictures."
    )
    parser.add_argument("data", type=Path, metavar="DATA", help="fer2013.csv or an .npz of it")
    parser.add_argument(
        "--detector",
        default="default",
        metavar="NAME",
        help=f"{', '.join(DETECTORS[:-1])}, or a file of fer-convert (default: default)",
    )
    parser.add_argument("--faces", type=int, default=FACES, metavar="N", help=f"({FACES})")
    args = parser.parse_args(arguments)
    try:
        faces = _training_faces(args.data, args.faces)
        with open_stages(PipelineConfig(detector=args.detector, classify=False)) as stages:
            boxes = measured_boxes(faces, stages.detector)
        frame = face_frame(boxes)
    except FerError as error:
        print(f"error: {' '.join(str(error).split())}", file=sys.stderr)
        return 2
    print(f"{args.detector}: {len(boxes):,} of {len(faces):,} faces found")
    print("             a tenth below   median   a tenth above")
    names = ("width", "height", "to the right", "below")
    for name, shares in zip(names, np.quantile(boxes, (0.1, 0.5, 0.9), axis=0).T, strict=True):
        print(f"{name:12} {shares[0]:>14.3f} {shares[1]:>8.3f} {shares[2]:>15.3f}")
    print(f"--face-frame={frame}")
    return 0


def _training_faces(path: Path, count: int) -> Gray:
    data = load_dataset(path)
    name = next((name for name in _TRAINING if name in data.splits), None)
    if name is None:
        raise BadInput(f"{path}: has no faces to learn from; it has {', '.join(data.splits)}")
    images = data.splits[name].images
    chosen = np.random.default_rng(0).permutation(len(images))[:count]
    return images[np.sort(chosen)]


if __name__ == "__main__":
    sys.exit(main())
