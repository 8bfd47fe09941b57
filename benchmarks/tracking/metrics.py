"""What is counted: overlap, success, switched ids, missed and false tracks."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from fer_edge.engine.geometry import iou_matrix
from fer_edge.engine.tracking.association import associate

from .material import Box
from .render import HEIGHT, WIDTH, Truth

# A face of which less is seen need not be followed, and is no false track either.
VISIBLE = 0.5
HIDDEN = 0.1
# Overlap from which a track has its face, and below which it has none.
HIT, NO_FACE = 0.5, 0.2
# Thresholds of the success plot (Wu, Lim, Yang, "Online Object Tracking: A Benchmark", 2013).
THRESHOLDS = np.linspace(0, 1, 51)


@dataclass(frozen=True)
class Score:
    """Sums over the frames of one or several sequences; they can be added.

    Attributes:
        overlaps: of every visible face in every frame; 0 where it has no track.
        tracks: boxes given.
        false: of these, the ones that overlap no face.
        switches: times that a face went on under another id, or an id with another face.
    """

    overlaps: npt.NDArray[np.float32]
    tracks: int
    false: int
    switches: int

    def __add__(self, other: Score) -> Score:
        return Score(
            np.concatenate([self.overlaps, other.overlaps]),
            self.tracks + other.tracks,
            self.false + other.false,
            self.switches + other.switches,
        )

    @property
    def mean_iou(self) -> float:
        """Mean overlap, 0-1."""
        return float(self.overlaps.mean())

    @property
    def success(self) -> float:
        """Share of faces with an overlap of 0.5 or more."""
        return float((self.overlaps >= HIT).mean())

    @property
    def auc(self) -> float:
        """Area under the curve of success over all thresholds."""
        return float((self.overlaps[:, None] > THRESHOLDS).mean())

    @property
    def missed(self) -> float:
        """Share of faces without a track that overlaps them at all."""
        return float((self.overlaps < NO_FACE).mean())

    @property
    def false_share(self) -> float:
        """Share of tracks that overlap no face."""
        return self.false / max(self.tracks, 1)


def score(truth: tuple[dict[int, Truth], ...], answers: list[dict[int, Box]]) -> Score:
    """Compare a run with the truth.

    Args:
        truth: of each frame.
        answers: of each frame, box by track id.
    """
    overlaps: list[float] = []
    false = switches = 0
    face_of: dict[int, int] = {}
    track_of: dict[int, int] = {}
    for known, given in zip(truth, answers, strict=True):
        faces = [id_ for id_, face in known.items() if face.visible >= VISIBLE]
        tracks = list(given)
        ratios = iou_matrix(
            clipped([given[id_] for id_ in tracks]), clipped([known[id_].box for id_ in faces])
        )
        pairs = associate(
            clipped([given[id_] for id_ in tracks]),
            clipped([known[id_].box for id_ in faces]),
            NO_FACE,
        )
        for index, face in enumerate(faces):
            if index not in pairs:
                overlaps.append(0.0)
                continue
            ratio = float(ratios[pairs[index], index])
            overlaps.append(ratio)
            if ratio < HIT:
                continue
            track = tracks[pairs[index]]
            switches += track_of.get(face, track) != track or face_of.get(track, face) != face
            track_of[face], face_of[track] = track, face
        near = [face.box for face in known.values() if face.visible >= HIDDEN]
        best = iou_matrix(clipped([given[id_] for id_ in tracks]), clipped(near))
        false += int((best.max(axis=1, initial=0) < NO_FACE).sum())
    return Score(np.array(overlaps, np.float32), sum(map(len, answers)), false, switches)


def clipped(boxes: list[Box]) -> npt.NDArray[np.float32]:
    """The parts of boxes that are in the frame, float32 `(n, 4)`."""
    rows = np.array(boxes, np.float32).reshape(-1, 4)
    least = np.clip(rows[:, :2], 0, (WIDTH, HEIGHT))
    most = np.clip(rows[:, :2] + rows[:, 2:], 0, (WIDTH, HEIGHT))
    return np.concatenate([least, most - least], axis=1).astype(np.float32)
