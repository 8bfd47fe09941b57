"""How answers depend on the size of a face."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from ..camera import low_resolution
from .crops import Answers
from .metrics import Accuracy, Labels, accuracy

SIDES = (16, 20, 24, 32, 40, 48)
# Faces by which it is judged: each is asked about in every size.
FACES = 1000


@dataclass(frozen=True)
class SizeFigures:
    """Right answers on faces of one size.

    Attributes:
        side: of the face in pixels.
        accuracy: see `Accuracy`.
    """

    side: int
    accuracy: Accuracy


def by_size(
    answers: Answers,
    images: npt.NDArray[np.uint8],
    labels: Labels,
) -> tuple[SizeFigures, ...]:
    """Shrink faces to each of `SIDES` up to their own size, and ask about them.

    Args:
        answers: gray faces uint8 `(n, h, w)` to probabilities in the order of the labels.
        images: faces; up to 1,000 of them are asked about.
        labels: the truth `(n,)`.
    """
    step = max(1, len(images) // FACES)
    images, labels = images[::step][:FACES], labels[::step][:FACES]
    found = []
    for side in (side for side in SIDES if side <= images.shape[1]):
        small = np.stack([_shrunk(image, side) for image in images])
        found.append(SizeFigures(side, accuracy(answers(small).argmax(axis=1) == labels)))
    return tuple(found)


def _shrunk(image: npt.NDArray[np.uint8], side: int) -> npt.NDArray[np.uint8]:
    if side == image.shape[0]:
        return image
    return np.rint(low_resolution(image.astype(np.float32), side)).astype(np.uint8)
