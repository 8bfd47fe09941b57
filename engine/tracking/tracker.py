"""Faces with stable ids: detections correct them, a follower carries them in between."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from ..geometry import iou_matrix
from ..types import Boxes, Detections, Frame, Track
from .association import associate
from .base import Box, Follower
from .motion import Motion

# How long a face that is out of view keeps its id.
MAX_AGE_S = 2.0
# A new face with a lower score has to be detected twice before it is shown.
SURE_SCORE = 0.7
# A follower that is less sure of a face may be on its way to something else.
_SURE_CONFIDENCE = 0.5


@dataclass(frozen=True)
class Health:
    """What a scheduler may know of the tracks.

    Attributes:
        faces: followed at the moment, shown or not.
        lost: whether one was lost since the last detection, or missed by it.
        unconfirmed: whether one waits to be detected a second time.
        confidence: 0-1, the least of the faces'; 1 without faces.
    """

    faces: int = 0
    lost: bool = False
    unconfirmed: bool = False
    confidence: float = 1.0


@dataclass
class _Identity:
    """A face that is or was in view.

    Attributes:
        box: where it is or was last seen.
        seen_s: time of the frame that it was last seen in.
        followed: whether the follower has it.
        detected: whether this frame's box was detected.
        motion: while it was surely seen.
    """

    box: Box
    score: float
    seen_s: float
    confirmed: bool
    motion: Motion
    followed: bool = True
    detected: bool = True
    confidence: float = 1.0


class FaceTracker:
    """Keeps the tracks of one video.

    A detection decides which faces are in view. One that it misses, or that the follower
    loses, is out of view at once, but its id waits for a while at its last box, and where its
    motion would have led it, so that it comes back as itself. Ids count from 1 and are never
    reused.

    Args:
        follower: carries the boxes from frame to frame.
        max_age_s: how long an id waits, in seconds of the source.
        sure_score: a new face that scores less is shown once it was detected twice. What the
            first detection of a run finds is shown at once.
    """

    def __init__(
        self,
        follower: Follower,
        max_age_s: float = MAX_AGE_S,
        sure_score: float = SURE_SCORE,
    ) -> None:
        self._follower = follower
        self._max_age_s = max_age_s
        self._sure_score = sure_score
        self._identities: dict[int, _Identity] = {}
        self._last_id = 0
        self._lost = False
        self._fresh = True
        self._drift: float | None = None

    @property
    def tracks(self) -> tuple[Track, ...]:
        """The faces in view, in the order of their ids."""
        return tuple(
            Track(id_, face.box, face.score, "detected" if face.detected else "tracked")
            for id_, face in sorted(self._identities.items())
            if face.followed and face.confirmed
        )

    @property
    def health(self) -> Health:
        """The state of the tracks after the last frame."""
        followed = [face for face in self._identities.values() if face.followed]
        return Health(
            len(followed),
            self._lost,
            not all(face.confirmed for face in followed),
            min((face.confidence for face in followed), default=1.0),
        )

    @property
    def drift(self) -> float | None:
        """How far the followed boxes were off when they were last detected.

        The largest 1 - IoU of a face that was followed and detected, 0-1; None without any.
        """
        return self._drift

    @property
    def places(self) -> dict[int, Box]:
        """Where the followed faces are, for a detection in this frame that comes later."""
        return {id_: face.box for id_, face in self._identities.items() if face.followed}

    def forget(self) -> None:
        """Give up all ids: what comes next shows other faces."""
        self._follower.stop(list(self._identities))
        self._identities = {}
        self._fresh = True

    def cut(self) -> None:
        """The scene has changed: give up the ids of all faces that are not seen on."""
        if not self._follower.looks:
            self.forget()
        self._identities = {id_: face for id_, face in self._identities.items() if face.followed}

    def predict(self, frame: Frame) -> None:
        """Carry the faces in view to this frame."""
        found = self._follower.update(frame.image)
        for id_, face in self._identities.items():
            if id_ in found:
                face.box, face.confidence = found[id_].box, found[id_].confidence
                face.seen_s, face.detected = frame.time_s, False
                if face.confidence >= _SURE_CONFIDENCE:
                    face.motion = face.motion.followed(face.box, frame.time_s)
            elif face.followed:
                face.followed = False
                self._lost = True

    def correct(
        self, frame: Frame, detections: Detections, then: Mapping[int, Box] | None = None
    ) -> None:
        """Take over what a detector found.

        Args:
            frame: the one that was detected in.
            detections: what was found in it.
            then: `places` in that frame if others have followed it since: boxes are brought
                forward by what the faces moved since then. None if it is the newest one.
        """
        now = self.places
        assigned = self._assign(detections.boxes, now if then is None else then, frame.time_s)
        found = {id_: _box(detections.boxes[index]) for id_, index in assigned.items()}
        self._drift = _drift(found, now if then is None else then)
        moved = {
            id_: box if then is None else brought_forward(box, then[id_], now[id_])
            for id_, box in found.items()
            if id_ in now and (then is None or id_ in then)
        }
        restarted = self._follower.correct(moved) | (found.keys() - moved.keys())
        self._follower.start(frame.image, {id_: found[id_] for id_ in restarted})
        self._lost = False
        for id_, index in assigned.items():
            self._see(id_, moved.get(id_, found[id_]), float(detections.scores[index]), frame)
        self._miss(set(now) - set(found), frame)
        self._fresh = False

    def _see(self, id_: int, box: Box, score: float, frame: Frame) -> None:
        known = self._identities.get(id_)
        confirmed = known is not None or self._fresh or score >= self._sure_score
        seen_s = max(frame.time_s, known.seen_s) if known else frame.time_s
        motion = known.motion.seen(box, seen_s) if known else Motion(box, seen_s)
        self._identities[id_] = _Identity(box, score, seen_s, confirmed, motion)

    def _miss(self, missed: set[int], frame: Frame) -> None:
        """Take faces out of view that were not detected, and give up ids that waited long."""
        self._follower.stop(missed)
        for id_ in missed:
            self._identities[id_].followed = False
            self._lost = self._lost or self._identities[id_].confirmed
        self._identities = {
            id_: face
            for id_, face in self._identities.items()
            if face.followed or (face.confirmed and frame.time_s - face.seen_s <= self._max_age_s)
        }

    def _assign(self, boxes: Boxes, places: Mapping[int, Box], time_s: float) -> dict[int, int]:
        """Track id to index of its detection; a detection without a track gets a new id."""
        waiting = {id_: face.motion for id_, face in self._identities.items() if id_ not in places}
        # Faces that are followed choose first: nobody knows where one that waits is.
        rounds = (
            places,
            {id_: motion.expected(time_s) for id_, motion in waiting.items()},
            {id_: motion.box for id_, motion in waiting.items()},
        )
        assigned: dict[int, int] = {}
        free = list(range(len(boxes)))
        for known in rounds:
            ids = [id_ for id_ in known if id_ in self._identities and id_ not in assigned]
            rows = np.array([known[id_] for id_ in ids], np.float32).reshape(-1, 4)
            matched = associate(rows, boxes[free])
            assigned |= {ids[track]: free[index] for index, track in matched.items()}
            free = [index for index in free if index not in assigned.values()]
        for index in free:
            self._last_id += 1
            assigned[self._last_id] = index
        return assigned


def brought_forward(box: Box, then: Box, now: Box) -> Box:
    """Where `box` would be now if it had moved and grown as `then` did to become `now`."""
    growth = now[2] / then[2], now[3] / then[3]
    away = [
        (box[axis] + box[axis + 2] / 2 - then[axis] - then[axis + 2] / 2) * growth[axis]
        for axis in (0, 1)
    ]
    w, h = box[2] * growth[0], box[3] * growth[1]
    return (
        now[0] + now[2] / 2 + away[0] - w / 2,
        now[1] + now[3] / 2 + away[1] - h / 2,
        w,
        h,
    )


def _drift(found: Mapping[int, Box], followed: Mapping[int, Box]) -> float | None:
    ids = [id_ for id_ in found if id_ in followed]
    if not ids:
        return None
    detected, before = (
        np.array([boxes[id_] for id_ in ids], np.float32) for boxes in (found, followed)
    )
    return 1.0 - float(iou_matrix(detected, before).diagonal().min())


def _box(row: Boxes) -> Box:
    x, y, w, h = (float(value) for value in row)
    return x, y, w, h
