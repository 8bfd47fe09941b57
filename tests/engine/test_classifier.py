from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from fer_edge.engine.backends import FakeBackend, open_backend
from fer_edge.engine.classifier import ExpressionClassifier
from fer_edge.engine.errors import BadInput
from fer_edge.engine.model import HEADS

from .scripted import expression_facts, fake_detector, fake_expression
from .tiny_models import write_detector

PICTURE = np.zeros((60, 80, 3), np.uint8)


def test_all_faces_go_in_one_batch_in_order() -> None:
    seen: list[np.ndarray] = []

    def answer(call: int, inputs: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
        seen.append(inputs["face"])
        return {"probabilities": np.eye(7, dtype=np.float32)[: len(inputs["face"])]}

    picture = PICTURE.copy()
    picture[:, 40:] = 200
    boxes = np.array([[2, 2, 20, 20], [50, 20, 20, 20]], np.float32)
    rows = ExpressionClassifier(FakeBackend(answer, expression_facts()))(picture, boxes)
    assert len(seen) == 1
    np.testing.assert_allclose(seen[0].mean(axis=(1, 2, 3)), [0, 200])
    assert rows.argmax(axis=1).tolist() == [0, 1]


def test_no_face_costs_no_inference() -> None:
    backend = fake_expression()
    rows = ExpressionClassifier(backend)(PICTURE, np.empty((0, 4), np.float32))
    assert rows.shape == (0, 7)
    assert backend.calls == 0


def test_a_detector_is_no_expression_model() -> None:
    with pytest.raises(BadInput, match="no expression model"):
        ExpressionClassifier(fake_detector(lambda _: []))


def test_the_head_that_is_asked_for_answers() -> None:
    expression = replace(expression_facts().expression, label_output="label_probabilities")

    def answer(call: int, inputs: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
        count = len(inputs["face"])
        names = ("probabilities", "label_probabilities")
        return {name: np.eye(7, dtype=np.float32)[[i] * count] for i, name in enumerate(names)}

    backend = FakeBackend(answer, expression_facts(expression=expression))
    boxes = np.array([[2, 2, 20, 20]], np.float32)
    for number, head in enumerate(HEADS):
        classifier = ExpressionClassifier(backend, head)
        assert classifier(PICTURE, boxes).argmax() == number
        both = classifier.batch([(PICTURE, boxes, None), (PICTURE, boxes, None)])
        assert [rows.argmax() for rows in both] == [number, number]


def test_the_least_confidence_is_that_of_the_head_of_votes() -> None:
    expression = replace(
        expression_facts().expression, label_output="label_probabilities", least_confidence=0.6,
        least_face=20.0,
    )  # fmt: skip
    backend = FakeBackend(lambda call, inputs: {}, expression_facts(expression=expression))
    facts = {head: ExpressionClassifier(backend, head).facts for head in HEADS}
    assert (facts["votes"].least_confidence, facts["label"].least_confidence) == (0.6, 0.0)
    assert {one.least_face for one in facts.values()} == {20.0}


@pytest.mark.parametrize("head", ["label", "mood"])
def test_a_head_that_is_not_there_is_named(head: str) -> None:
    with pytest.raises(BadInput, match=f"has no head '{head}'"):
        ExpressionClassifier(fake_expression(), head)


def test_a_model_of_the_wrong_kind_is_named_by_the_file_that_was_given(tmp_path: Path) -> None:
    path = write_detector(tmp_path / "mine.onnx")
    with open_backend(path) as backend, pytest.raises(BadInput) as caught:
        ExpressionClassifier(backend)
    assert str(caught.value) == f"{path}: a detector model, no expression model"
