"""When an expression is no answer: too little confidence, too small a face, too far turned away.

A face that a model is not sure of keeps its probabilities and has no expression. The bound on
confidence is one on the risk-coverage curve (El-Yaniv and Wiener, JMLR 11, 2010): the surer the
answers that are given, the more of them are right.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import inf

from .errors import BadInput
from .model import ExpressionFacts
from .types import Track, Unsure


@dataclass(frozen=True)
class Certainty:
    """What a face has to be like for its expression to be told.

    Attributes:
        least_confidence: probability of the likeliest expression, 0-1.
        least_face: longer side of its box in pixels.
        most_yaw, most_pitch: of the head's pose to either side, in degrees. Where the landmarks
            do not tell the pose, it is not held against a face.

    Raises:
        BadInput: a value outside its range.
    """

    least_confidence: float = 0.0
    least_face: float = 0.0
    most_yaw: float = 90.0
    most_pitch: float = 90.0

    def __post_init__(self) -> None:
        if not 0 <= self.least_confidence <= 1:
            raise BadInput(f"minimum confidence {self.least_confidence:g} is outside 0-1")
        if not 0 <= self.least_face < inf:
            raise BadInput(f"least face {self.least_face:g}: give pixels, 0 or more")
        for name, angle in (("yaw", self.most_yaw), ("pitch", self.most_pitch)):
            if not 0 <= angle <= 90:
                raise BadInput(f"most {name} {angle:g} is outside 0-90 degrees")

    @classmethod
    def of(cls, facts: ExpressionFacts, min_confidence: float | None = None) -> Certainty:
        """What a model's file asks for, or another least confidence with the rest of it."""
        least = facts.least_confidence if min_confidence is None else min_confidence
        return cls(least, facts.least_face, facts.most_yaw, facts.most_pitch)

    def doubt(self, track: Track, confidence: float) -> Unsure | None:
        """Why the expression of a face is not told; None where it is.

        Args:
            track: the face.
            confidence: probability of its likeliest expression, 0-1.
        """
        if max(track.box[2:]) < self.least_face:
            return "size"
        if self._turned_away(track):
            return "pose"
        return "confidence" if confidence < self.least_confidence else None

    def _turned_away(self, track: Track) -> bool:
        if min(self.most_yaw, self.most_pitch) >= 90 or (pose := track.pose) is None:
            return False
        return abs(pose.yaw) > self.most_yaw or abs(pose.pitch) > self.most_pitch
