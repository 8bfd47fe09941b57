"""When a trained network's answer is one, told by faces that it did not learn from."""

from __future__ import annotations

from math import ceil

import numpy as np
import numpy.typing as npt

from fer_edge.engine.certainty import Certainty

from .evaluation.crops import Answers
from .evaluation.sizes import by_size
from .evaluation.votes import most_confident

# What a small face may cost: of the share of answers that are right, 0-1.
LOST_TO_SIZE = 0.1
# How far heads are turned in FER2013, in degrees: 99 of 100 faces less than 58 and 24 (2,000 of
# PublicTest, by CenterFace's landmarks). Beyond, a network answers about what it never saw.
MOST_YAW, MOST_PITCH = 60.0, 30.0


def fit_certainty(
    answers: Answers,
    images: npt.NDArray[np.uint8],
    majorities: npt.NDArray[np.int64],
) -> Certainty:
    """The least confidence and the least face of a network.

    From the confidence on, nine of ten answers agree with most people; where no part of the
    answers does, all are told. At the least size a tenth less is right than at the full one.

    Args:
        answers: gray faces uint8 `(n, h, w)` to probabilities `(n, classes)`.
        images: faces that it did not learn from.
        majorities: what most people call each, `(n,)`.
    """
    sure = most_confident(answers(images), majorities)
    sizes = by_size(answers, images, majorities)
    enough = sizes[-1].accuracy.share - LOST_TO_SIZE
    return Certainty(
        # Rounded up, so that what people read is what is compared.
        ceil(100 * sure.least_confidence) / 100 if sure else 0.0,
        next(size.side for size in sizes if size.accuracy.share >= enough),
        MOST_YAW,
        MOST_PITCH,
    )
