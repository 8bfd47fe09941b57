from __future__ import annotations

import numpy as np
import pytest

from fer_edge.engine.types import Floats
from fer_edge.models.certainty import LOST_TO_SIZE, fit_certainty
from fer_edge.models.evaluation.sizes import SIDES

from .tiny_faces import voted

FACES = voted(400)
CLEAR = FACES.majorities >= 0
IMAGES, MAJORITIES = FACES.images[CLEAR], FACES.majorities[CLEAR]


def answering(right: float) -> Floats:
    """Answers of which a share is right, the surer ones."""
    rng = np.random.default_rng(0)
    confidence = np.linspace(1.0, 0.3, len(MAJORITIES))
    wrong = np.arange(len(MAJORITIES)) >= right * len(MAJORITIES)
    rows = np.tile((1 - confidence[:, None]) / 6, (1, 7))
    named = np.where(wrong, (MAJORITIES + rng.integers(1, 7, len(wrong))) % 7, MAJORITIES)
    rows[np.arange(len(rows)), named] = confidence
    return rows.astype(np.float32)


def test_from_the_confidence_on_nine_of_ten_answers_agree() -> None:
    rows = answering(0.6)
    certainty = fit_certainty(lambda _: rows, IMAGES, MAJORITIES)
    told = rows.max(1) >= certainty.least_confidence
    agree = (rows.argmax(1) == MAJORITIES)[told].mean()
    assert agree >= 0.9
    assert agree < 0.95
    assert certainty.least_confidence == round(certainty.least_confidence, 2)


@pytest.mark.parametrize(("right", "least"), [(1.0, 0.3), (0.0, 0.0)])
def test_all_is_told_where_all_or_nothing_is_right(right: float, least: float) -> None:
    rows = answering(right)
    found = fit_certainty(lambda _: rows, IMAGES, MAJORITIES).least_confidence
    assert found == pytest.approx(least, abs=0.011)


@pytest.mark.parametrize("least", SIDES)
def test_the_least_face_is_one_that_can_still_be_read(least: int) -> None:
    sizes = iter((48, *SIDES))

    def answers(images: np.ndarray) -> Floats:
        side = next(sizes)
        share = 0.95 if side >= least else 0.95 - LOST_TO_SIZE - 0.02
        return answering(share)[: len(images)]

    assert fit_certainty(answers, IMAGES, MAJORITIES).least_face == least
