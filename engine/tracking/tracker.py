"""Faces with stable ids: detections correct them, a follower carries them in between."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from ..geometry import iou_matrix
from ..types import Boxes, Detections, Frame, Origin, Points, Track
from .association import associate
from .base import Box, Follower, Place
from .motion import Motion
from .moving import Landmarks, brought_forward

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
        place: where it is or was last seen.
        seen_s: time of the frame that it was last seen in.
        followed: whether the follower has it.
        detected: whether this frame's box was detected.
        motion: while it was surely seen.
        landmarks: of the last detection; None where it had none.
    """

    place: Place
    score: float
    seen_s: float
    confirmed: bool
    motion: Motion
    landmarks: Landmarks | None = None
    followed: bool = True
    detected: bool = True
    confidence: float = 1.0

    def track(self, id_: int) -> Track:
        """What is to be known of it."""
        points: Points = self.landmarks.at(self.place) if self.landmarks else ()
        origin: Origin = "detected" if self.detected else "tracked"
        return Track(id_, self.place.box, self.score, origin, points)


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
            face.track(id_)
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
    def places(self) -> dict[int, Place]:
        """Where the followed faces are, for a detection in this frame that comes later."""
        return {id_: face.place for id_, face in self._identities.items() if face.followed}

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
                face.place = Place(found[id_].box, found[id_].angle)
                face.confidence = found[id_].confidence
                face.seen_s, face.detected = frame.time_s, False
                if face.confidence >= _SURE_CONFIDENCE:
                    face.motion = face.motion.followed(face.place.box, frame.time_s)
            elif face.followed:
                face.followed = False
                self._lost = True

    def correct(
        self, frame: Frame, detections: Detections, then: Mapping[int, Place] | None = None
    ) -> None:
        """Take over what a detector found.

        Args:
            frame: the one that was detected in.
            detections: what was found in it.
            then: `places` in that frame if others have followed it since: boxes and landmarks
                are brought forward by what the faces moved since then. None if it is the newest
                one.
        """
        now = self.places
        then = now if then is None else then
        assigned = self._assign(detections.boxes, then, frame.time_s)
        found = {id_: _box(detections.boxes[index]) for id_, index in assigned.items()}
        self._drift = _drift(found, then)
        moved = {
            id_: box if then is now else brought_forward(box, then[id_], now[id_])
            for id_, box in found.items()
            if id_ in now and id_ in then
        }
        restarted = self._follower.correct(moved) | (found.keys() - moved.keys())
        self._follower.start(frame.image, {id_: found[id_] for id_ in restarted})
        self._lost = False
        for id_, index in assigned.items():
            # A follower that starts counts its angles anew.
            seen, angle = (0.0, 0.0) if id_ in restarted else (then[id_].angle, now[id_].angle)
            place = Place(moved.get(id_, found[id_]), angle)
            landmarks = _landmarks(detections, index, seen)
            self._see(id_, place, float(detections.scores[index]), landmarks, frame)
        self._miss(set(now) - set(found), frame)
        self._fresh = False

    def _see(
        self, id_: int, place: Place, score: float, landmarks: Landmarks | None, frame: Frame
    ) -> None:
        known = self._identities.get(id_)
        confirmed = known is not None or self._fresh or score >= self._sure_score
        seen_s = max(frame.time_s, known.seen_s) if known else frame.time_s
        motion = known.motion.seen(place.box, seen_s) if known else Motion(place.box, seen_s)
        self._identities[id_] = _Identity(place, score, seen_s, confirmed, motion, landmarks)

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

    def _assign(self, boxes: Boxes, places: Mapping[int, Place], time_s: float) -> dict[int, int]:
        """Track id to index of its detection; a detection without a track gets a new id."""
        waiting = {id_: face.motion for id_, face in self._identities.items() if id_ not in places}
        # Faces that are followed choose first: nobody knows where one that waits is.
        rounds = (
            {id_: place.box for id_, place in places.items()},
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


def _landmarks(detections: Detections, index: int, angle: float) -> Landmarks | None:
    if detections.landmarks is None:
        return None
    points = detections.landmarks[index].tolist()
    return Landmarks.of(points, _box(detections.boxes[index]), angle)


def _drift(found: Mapping[int, Box], followed: Mapping[int, Place]) -> float | None:
    ids = [id_ for id_ in found if id_ in followed]
    if not ids:
        return None
    detected = np.array([found[id_] for id_ in ids], np.float32)
    before = np.array([followed[id_].box for id_ in ids], np.float32)
    return 1.0 - float(iou_matrix(detected, before).diagonal().min())


def _box(row: Boxes) -> Box:
    x, y, w, h = (float(value) for value in row)
    return x, y, w, h
