"""Detections and probabilities of engines on the GPU against the CPU's."""

from __future__ import annotations

from contextlib import ExitStack
from typing import Any

import numpy as np

from fer_edge.engine.classifier import ExpressionClassifier
from fer_edge.engine.config import EXPRESSION_FILE, PipelineConfig
from fer_edge.engine.detector import Detector
from fer_edge.engine.geometry import iou_matrix
from fer_edge.engine.input_size import InputSizes
from fer_edge.engine.stages import stages_of

from .models import DETECTORS, noise, open_engine, open_on_cpu, pictures

LEAST_SCORE = 0.3
PROBABILITY = 0.02
# A landmark's in widths of its face.
LIMITS = {"1 - IoU": 0.03, "score": 0.03, "landmark": 0.02, "probability": PROBABILITY}


def check(options: Any) -> dict[str, Any]:
    """Every face of the pictures found again, with the same landmarks and expression."""
    images = pictures(options.photos)
    facts: dict[str, Any] = {}
    with ExitStack() as opened:
        second = open_engine(options.work, EXPRESSION_FILE, opened)
        expression = open_on_cpu(EXPRESSION_FILE, opened)
        batches = _batches(second)
        for name in DETECTORS:
            first = open_engine(options.work, name, opened)
            see = first.facts.input
            sizes = InputSizes(fixed=(see.width, see.height))
            plain = Detector(open_on_cpu(name, opened), LEAST_SCORE, sizes=sizes)
            with ExitStack() as stack:
                config = PipelineConfig(min_score=LEAST_SCORE)
                stages = stages_of(first, second, config, ExitStack())
                stack.callback(stages.close)
                ours = stages.detector, stages.classifier
                classifier = ExpressionClassifier(expression, face_frame=stages.face_frame)
                facts[name] = compare(ours, (plain, classifier), images)
            facts[name]["graphs"] = first.execution().graphs
        return {
            "product": second.execution().product,
            "precision": second.precision,
            "batches in any order": batches,
            **facts,
        }


def compare(ours: Any, theirs: Any, images: Any) -> dict[str, Any]:
    """Hold a detector and a classifier against others.

    Raises:
        AssertionError: a face is lost or differs by more than is allowed for half precision.
    """
    worst: dict[str, float] = dict.fromkeys(LIMITS, 0.0)
    faces = 0
    for image in images:
        found, wanted = ours[0](image), theirs[0](image)
        strong = wanted.take(wanted.scores >= LEAST_SCORE)
        faces += len(strong)
        if not len(strong):
            continue
        if not len(found):
            raise AssertionError(f"none of {len(strong)} faces was found")
        overlap = iou_matrix(strong.boxes, found.boxes)
        same = found.take(overlap.argmax(axis=1))
        off = {
            "1 - IoU": 1 - overlap.max(axis=1),
            "score": same.scores - strong.scores,
            "probability": ours[1](image, strong.boxes) - theirs[1](image, strong.boxes),
        }
        if strong.landmarks is not None:
            widths = strong.boxes[:, 2, None, None]
            off["landmark"] = (same.landmarks - strong.landmarks) / widths
        for name, errors in off.items():
            worst[name] = max(worst[name], float(np.abs(errors).max()))
    result = {"pictures": len(images), "faces": faces, "largest errors": worst}
    if not faces or any(not worst[name] <= limit for name, limit in LIMITS.items()):
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
