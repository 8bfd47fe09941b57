from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from fer_edge.convert.quantisation.agreement import (
    AnswerJudge,
    DetectionJudge,
    Outputs,
    detections,
)
from fer_edge.engine.model import DetectorFacts, InputFacts, ModelFacts

FACTS = ModelFacts(
    kind="detector",
    input=InputFacts("x", 100, 200, "rgb", "letterbox", (0.0,) * 3, (1.0,) * 3),
    labels=("face",),
    precision="fp32",
    source_name="x",
    source_sha256="0" * 64,
    converter="0",
    detector=DetectorFacts("boxes", "scores", 0, 0.0, 0.4, 100, 0.5, "landmarks"),
)
# Three faces far apart, in pixels: x, y, side, score.
FACES = [(10, 10, 20, 0.9), (60, 20, 30, 0.8), (120, 40, 40, 0.7)]


def outputs(faces: list[tuple[float, float, float, float]], points: float = 0.0) -> Outputs:
    rows = np.float32(faces).reshape(-1, 4)
    x, y, side, score = rows.T
    corners = np.stack([y / 100, x / 200, (y + side) / 100, (x + side) / 200], axis=1)
    middle = np.stack([(x + side / 2 + points) / 200, (y + side / 2) / 100], axis=1)
    return {
        "boxes": corners[None],
        "scores": score[None, :, None],
        "landmarks": np.repeat(middle[None, :, None], 5, axis=2),
    }


def test_the_same_is_no_difference() -> None:
    judge = DetectionJudge(FACTS)
    assert judge([outputs(FACES)], [outputs(FACES)]).excess == pytest.approx(0, abs=1e-5)
    assert judge.findings(outputs(FACES)) == 3
    assert judge([outputs([])], [outputs([])]).figures == {}


def test_suppression_and_pixels_are_the_runtimes() -> None:
    twice = outputs([*FACES, (11, 10, 20, 0.6)])
    found = detections(twice, FACTS)
    np.testing.assert_allclose(found.boxes[0], [10, 10, 20, 20], atol=1e-4)
    np.testing.assert_allclose(found.scores, [0.9, 0.8, 0.7])
    np.testing.assert_allclose(found.landmarks[1], np.full((5, 2), [75, 35]), atol=1e-4)


@pytest.mark.parametrize(
    ("faces", "name", "value"),
    [
        (FACES[:2], "detections changed", 1 / 3),
        ([*FACES, (150, 2, 20, 0.9)], "detections changed", 1 / 4),
        ([(10, 10, 20, 0.6), *FACES[1:]], "scores off by", 0.1),
        ([(10, 10, 20, 0.6), *FACES[1:]], "detections changed", 1 / 3),
        ([(12, 10, 20, 0.9), *FACES[1:]], "boxes off by", (1 - 18 / 22) / 3),
    ],
)
def test_each_kind_of_loss_is_told(faces: list, name: str, value: float) -> None:
    figures = DetectionJudge(FACTS)([outputs(faces)], [outputs(FACES)]).figures
    assert figures[name][0] == pytest.approx(value, abs=1e-4)


def test_landmarks_are_measured_in_sides_of_the_box() -> None:
    figures = DetectionJudge(FACTS)([outputs(FACES, points=2)], [outputs(FACES)]).figures
    assert figures["landmarks off by"][0] == pytest.approx((2 / 20 + 2 / 30 + 2 / 40) / 3, abs=1e-4)
    without = replace(FACTS, detector=replace(FACTS.detector, landmarks_output=None))
    assert (
        "landmarks off by"
        not in DetectionJudge(without)([outputs(FACES)], [outputs(FACES)]).figures
    )


def test_a_detection_just_below_the_threshold_is_not_lost() -> None:
    before, after = outputs([(10, 10, 20, 0.51)]), outputs([(10, 10, 20, 0.49)])
    for found, expected in ((after, before), (before, after)):
        difference = DetectionJudge(FACTS)([found], [expected])
        assert difference.figures.get("detections changed", (0.0, 1))[0] == 0
    assert DetectionJudge(FACTS)([after], [before]).figures["scores off by"][0] == pytest.approx(
        0.02, abs=1e-5
    )


def test_answers_cost_what_the_float_network_gives_up() -> None:
    theirs = [{"p": np.float32([[0.6, 0.4]])}, {"p": np.float32([[0.9, 0.1]])}]
    ours = [{"p": np.float32([[0.4, 0.6]])}, {"p": np.float32([[0.8, 0.2]])}]
    figures = AnswerJudge("p")(ours, theirs).figures
    assert figures["accuracy lost"][0] == pytest.approx(0.1, abs=1e-6)
    assert figures["probabilities off by"][0] == pytest.approx(0.15, abs=1e-6)
