"""The values that flow through the engine. None of them knows how it was made."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

import numpy as np
import numpy.typing as npt

from .head_pose import HeadPose, head_pose

Image = npt.NDArray[np.uint8]
Boxes = npt.NDArray[np.float32]
Floats = npt.NDArray[np.float32]
Origin = Literal["detected", "tracked"]
Unsure = Literal["confidence", "size", "pose"]
Points = tuple[tuple[float, float], ...]


@dataclass(frozen=True)
class Frame:
    """One picture of a source.

    Attributes:
        image: BGR uint8 `(height, width, 3)`.
        index: number of the frame in its source, from 0; dropped frames leave gaps.
        time_s: seconds since the source's first frame, by their presentation times.
        file: of a picture, its name below the source's folder; else empty.
        utc_s: of a camera or stream, when the frame arrived, in seconds since 1970; else None.
    """

    image: Image
    index: int
    time_s: float
    file: str = ""
    utc_s: float | None = None


@dataclass(frozen=True)
class Detections:
    """What a detector found in one frame, best first.

    Attributes:
        boxes: float32 `(n, 4)`, `(x, y, w, h)` in pixels of the frame, clipped to it.
        scores: float32 `(n,)`, 0-1.
        landmarks: float32 `(n, 5, 2)`, `(x, y)` in pixels of the frame, which they may leave:
            left eye as seen, right eye, nose, left and right corner of the mouth; None from a
            detector that finds none.
    """

    boxes: Boxes
    scores: Floats
    landmarks: Floats | None = None

    def __len__(self) -> int:
        return len(self.scores)

    def take(self, rows: npt.NDArray[np.bool_] | npt.NDArray[np.intp]) -> Detections:
        """Some of them: rows by a mask `(n,)`, or by their numbers in any order."""
        landmarks = None if self.landmarks is None else self.landmarks[rows]
        return Detections(self.boxes[rows], self.scores[rows], landmarks)


@dataclass(frozen=True)
class Track:
    """One face followed over time.

    Attributes:
        id: from 1, never used twice in a run; identifies nobody.
        box: `(x, y, w, h)` in pixels of the frame.
        score: of the last detection, 0-1.
        origin: whether this frame's box was detected or tracked.
        landmarks: five `(x, y)` in pixels of the frame, in the order of `Detections`; empty
            where the detector finds none.
    """

    id: int
    box: tuple[float, float, float, float]
    score: float
    origin: Origin
    landmarks: Points = ()

    @property
    def pose(self) -> HeadPose | None:
        """How the head is held; None where the landmarks do not tell."""
        return head_pose(self.landmarks) if self.landmarks else None


@dataclass(frozen=True)
class Face:
    """A tracked face with its expression.

    Attributes:
        track: where it is.
        probabilities: label to probability, summing to 1, in the model's order, smoothed over
            time; empty when expressions are off.
        raw: the same of one frame alone, not smoothed: of this one, or where not every frame is
            classified, of the last that was. Both may be those of the frame before, to be read.
        unsure: why no expression is told in spite of them: too little confidence, too small a
            face, or a head that is turned too far away; None where one is told.
    """

    track: Track
    probabilities: dict[str, float]
    raw: dict[str, float] = field(default_factory=dict)
    unsure: Unsure | None = None

    @property
    def expression(self) -> str | None:
        """The most probable label; None when expressions are off, or the model is unsure."""
        if not self.probabilities or self.unsure is not None:
            return None
        return max(self.probabilities, key=self.probabilities.__getitem__)

    @property
    def pose(self) -> HeadPose | None:
        """How the head is held; see `Track.pose`."""
        return self.track.pose


@dataclass(frozen=True)
class FrameResult:
    """A frame and the faces in it.

    Attributes:
        frame: the frame.
        faces: those that are followed.
        found: boxes `(n, 4)` of all that the detector found in this very frame; None where it
            was not asked.
    """

    frame: Frame
    faces: tuple[Face, ...]
    found: Boxes | None = None
