"""Faces with stable ids: detections correct them, a follower carries them in between."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..types import Boxes, Detections, Image, Track
from .association import associate
from .base import Box, Follower

# Detections in a row that may miss a face before its id is given up.
MAX_MISSES = 15


@dataclass
class _Identity:
    """A face that is or was in view."""

    box: Box
    score: float
    misses: int = 0


class FaceTracker:
    """Keeps the tracks of one video.

    A detection decides which faces are in view. One that it misses is out of view at
    once, but its id waits at its last box for a while, so that a face that was missed
    or lost for a moment comes back as itself. Ids count from 1 and are never reused.
    """

    def __init__(self, follower: Follower) -> None:
        self._follower = follower
        self._identities: dict[int, _Identity] = {}
        self._last_id = 0
        self._tracks: tuple[Track, ...] = ()
        self._lost = False

    @property
    def tracks(self) -> tuple[Track, ...]:
        """The faces in view, in the order of their ids."""
        return self._tracks

    @property
    def lost(self) -> bool:
        """Whether a face was lost since the last detection."""
        return self._lost

    def forget(self) -> None:
        """Give up all ids: what comes next shows other faces."""
        self._identities = {}
        self._tracks = ()

    def correct(self, image: Image, detections: Detections) -> None:
        """Take over what a detector found in this frame (BGR uint8)."""
        for identity in self._identities.values():
            identity.misses += 1
        for id_, index in self._assign(detections.boxes).items():
            box, score = _box(detections.boxes[index]), float(detections.scores[index])
            self._identities[id_] = _Identity(box, score)
        self._identities = {
            id_: identity
            for id_, identity in self._identities.items()
            if identity.misses <= MAX_MISSES
        }
        seen = {id_: identity for id_, identity in self._identities.items() if not identity.misses}
        self._tracks = tuple(
            Track(id_, face.box, face.score, "detected") for id_, face in sorted(seen.items())
        )
        self._follower.start(image, {track.id: track.box for track in self._tracks})
        self._lost = False

    def predict(self, image: Image) -> None:
        """Carry the faces in view to this frame (BGR uint8)."""
        found = self._follower.update(image)
        self._lost = self._lost or any(track.id not in found for track in self._tracks)
        for id_, box in found.items():
            self._identities[id_].box = box
        self._tracks = tuple(
            Track(track.id, found[track.id], track.score, "tracked")
            for track in self._tracks
            if track.id in found
        )

    def _assign(self, boxes: Boxes) -> dict[int, int]:
        """Track id to index of its detection; a detection without a track gets a new id."""
        ids = list(self._identities)
        known = np.array([self._identities[id_].box for id_ in ids], np.float32).reshape(-1, 4)
        matched = associate(known, boxes)
        assigned = {}
        for index in range(len(boxes)):
            if index in matched:
                assigned[ids[matched[index]]] = index
            else:
                self._last_id += 1
                assigned[self._last_id] = index
        return assigned


def _box(row: Boxes) -> Box:
    x, y, w, h = (float(value) for value in row)
    return x, y, w, h
