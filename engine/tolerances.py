"""How far a network may be from the one it stands for: for the converter and for plans."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Tolerance:
    """How far a converted model may be off.

    Attributes:
        least_score: detections of at least this score must be found again.
        iou: least overlap of a detection with its original.
        score: largest difference of a detection's score, and of any survivor's.
        landmark: largest distance of a detection's landmark, over the longer side of its box.
        probability: largest difference of a probability.
        agreement: least share of equal most probable classes.
        strays: largest share of the detections that may be further off than that.
    """

    least_score: float
    iou: float
    score: float
    landmark: float
    probability: float
    agreement: float
    strays: float = 0.0


# Under fp16 two anchors of nearly equal score may change places in suppression: the
# face stays, its box becomes the neighbour's.
TOLERANCES = {
    "fp32": Tolerance(0.3, iou=0.99, score=0.01, landmark=0.01, probability=1e-4, agreement=1.0),
    "fp16": Tolerance(0.3, iou=0.90, score=0.03, landmark=0.05, probability=0.02, agreement=0.99),
    # Over many pictures some detection always lies at the edge of being another one.
    "int8": Tolerance(
        0.5,
        iou=0.80,
        score=0.15,
        landmark=0.1,
        probability=0.25,
        agreement=0.97,
        strays=0.05,
    ),
}
