"""Detections and probabilities of engines on the GPU against the CPU's."""

from __future__ import annotations

from contextlib import ExitStack
from typing import Any

import numpy as np

from fer_edge.engine.classifier import ExpressionClassifier
from fer_edge.engine.config import DETECTOR_FILE, EXPRESSION_FILE, PipelineConfig
from fer_edge.engine.detector import Detector
from fer_edge.engine.geometry import iou_matrix
from fer_edge.engine.stages import stages_of

from .models import noise, open_engines, open_on_cpu, pictures

LEAST_SCORE = 0.3
IOU, SCORE, PROBABILITY = 0.97, 0.03, 0.02


def check(options: Any) -> dict[str, Any]:
    """Every face of the pictures found again, with the same expression."""
    with ExitStack() as opened:
        first, second = open_engines(options.work, opened)
        plain = open_on_cpu(DETECTOR_FILE, opened), open_on_cpu(EXPRESSION_FILE, opened)
        batches = _batches(second)
        stages = stages_of(first, second, PipelineConfig(min_score=LEAST_SCORE), ExitStack())
        opened.callback(stages.close)
        found = compare(
            (stages.detector, stages.classifier),
            (Detector(plain[0], LEAST_SCORE), ExpressionClassifier(plain[1])),
            pictures(options.photos),
        )
        return {
            "product": first.execution().product,
            "precision": first.precision,
            "graphs": first.execution().graphs,
            "batches in any order": batches,
            **found,
        }


def compare(ours: Any, theirs: Any, images: Any) -> dict[str, Any]:
    """Hold a detector and a classifier against others.

    Raises:
        AssertionError: a face is lost or differs by more than is allowed for half precision.
    """
    ious, scores, probabilities, faces = [1.0], [0.0], [0.0], 0
    for image in images:
        found, wanted = ours[0](image), theirs[0](image)
        strong = wanted.scores >= LEAST_SCORE
        boxes = wanted.boxes[strong]
        faces += len(boxes)
        if len(boxes):
            overlap = iou_matrix(boxes, found.boxes) if len(found) else np.zeros((len(boxes), 1))
            ious.append(float(overlap.max(axis=1).min()))
            nearest = overlap.argmax(axis=1)
            if len(found):
                off = np.abs(found.scores[nearest] - wanted.scores[strong])
                scores.append(float(off.max()))
            off = np.abs(ours[1](image, boxes) - theirs[1](image, boxes))
            probabilities.append(float(off.max()))
    result = {
        "pictures": len(images), "faces": faces, "least IoU": min(ious),
        "largest score error": max(scores), "largest probability error": max(probabilities),
    }  # fmt: skip
    fine = min(ious) >= IOU and max(scores) <= SCORE and max(probabilities) <= PROBABILITY
    if not faces or not fine:
        raise AssertionError(f"out of tolerance: {result}")
    return result


def _batches(backend: Any) -> bool:
    """A batch gives the same whatever came before it, recorded or not."""
    see = backend.facts.input
    for count in (1, 4, 2, 16, 1, 20, 3):
        faces = noise((count, see.channels, see.height, see.width), count)
        whole = next(iter(backend.infer({see.name: faces}).values()))
        single = [
            next(iter(backend.infer({see.name: faces[i : i + 1 or None]}).values()))
            for i in (0, -1)
        ]
        again = np.concatenate([single[0], whole[1:-1], single[1]] if count > 1 else [single[0]])
        if np.abs(whole - again).max() > PROBABILITY:
            raise AssertionError(f"a batch of {count} differs from its faces one by one")
    return True
