"""What is lost between a face as the data set has it and what a detector's box cuts out."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from fer_edge.engine.types import Floats

from ..data import LabelledFaces
from ..data.crop import FaceCropper
from ..data.faces import Images
from ..data.scenes import crops_in_scenes, usual_sides
from .metrics import Accuracy, Labels, accuracy

# Pixels a side of faces in scenes, for figures by size.
SIDES = (24, 32, 48, 64, 96, 128)
# Faces of which each size is asked about.
FACES = 500

Answers = Callable[[Images], Floats]
Truths = Callable[[LabelledFaces], Labels]


@dataclass(frozen=True)
class Found:
    """Those of some faces that a detector found.

    Attributes:
        asked: number of faces that it was shown.
        faces: those that it found, with crops.
    """

    asked: int
    faces: LabelledFaces


@dataclass(frozen=True)
class Cropping:
    """What a detector found of a split.

    Attributes:
        detector: name or path.
        usual: of faces of usual sizes.
        by_side: of faces of one size, by pixels a side; empty for photographs.
    """

    detector: str
    usual: Found
    by_side: tuple[tuple[int, Found], ...] = ()


@dataclass(frozen=True)
class CropFigures:
    """Right answers on the faces that were found, by votes or else labels.

    Attributes:
        side: of the face in its scene, in pixels; None for various.
        asked, found: faces.
        whole: as the data set has them; None for photographs, which are no faces.
        cropped: as the detector leads to them.
    """

    side: int | None
    asked: int
    found: int
    whole: Accuracy | None
    cropped: Accuracy

    @property
    def lost(self) -> float:
        """Share of right answers that the crop costs, 0-1; not a number for photographs."""
        return float("nan") if self.whole is None else self.whole.share - self.cropped.share


@dataclass(frozen=True)
class CropLoss:
    """All figures about crops.

    Attributes:
        detector: name or path.
        usual: see `Cropping`.
        sizes: by the size of the face in its scene.
    """

    detector: str
    usual: CropFigures
    sizes: tuple[CropFigures, ...]


def crop_in_scenes(faces: LabelledFaces, cropper: FaceCropper, detector: str) -> Cropping:
    """Put all faces into scenes, and some of them in each of `SIDES`.

    Args:
        faces: labelled crops.
        cropper: finds them, and cuts them out.
        detector: its name.
    """
    some = faces.take(np.arange(0, len(faces), max(1, len(faces) // FACES))[:FACES])

    def found(asked: LabelledFaces, sides: Sequence[int]) -> Found:
        return Found(len(asked), crops_in_scenes(asked, sides, cropper))

    by_side = tuple((side, found(some, [side] * len(some))) for side in SIDES)
    return Cropping(detector, found(faces, usual_sides(len(faces))), by_side)


def measure_crops(answers: Answers, truths: Truths, cropping: Cropping) -> CropLoss:
    """All figures of a model.

    Args:
        answers: gray faces to probabilities in the order of the labels.
        truths: the classes of faces, -1 where they are not known.
        cropping: what the model is asked about.
    """

    def figures(side: int | None, found: Found) -> CropFigures:
        truth = truths(found.faces)
        known = truth >= 0
        faces, truth = found.faces.take(known), truth[known]

        def right(images: Images) -> Accuracy:
            return accuracy(answers(images).argmax(axis=1) == truth)

        return CropFigures(
            side, found.asked, len(found.faces),
            right(faces.images) if cropping.by_side else None, right(faces.seen),
        )  # fmt: skip

    return CropLoss(
        cropping.detector,
        figures(None, cropping.usual),
        tuple(figures(side, found) for side, found in cropping.by_side),
    )
