"""The expressions of one video's faces over time: whose turn it is, smoothing, names."""

from __future__ import annotations

from collections.abc import Sequence
from math import nan

import numpy as np

from .certainty import Certainty
from .errors import BadInput
from .smoothing import ExpressionSmoother
from .tracing import span
from .types import Boxes, Face, Floats, Track

# Label to probability, smoothed and not.
_Answer = tuple[dict[str, float], dict[str, float]]


class Expressions:
    """Decides which faces are classified in a frame, and what the others show.

    A face is classified when it comes into view, and then in every `every`-th frame; its last
    answer stands in between. The turns of faces with ids in a row fall on frames in a row, so
    that no frame waits for all of them.

    Args:
        labels: in the model's order.
        smoother: smooths answers over time; None leaves them as they are.
        every: frames from one turn of a face to the next.
        certainty: what a face has to be like for its expression to be told; None tells all.

    Raises:
        BadInput: `every` is below 1.
    """

    def __init__(
        self,
        labels: Sequence[str],
        smoother: ExpressionSmoother | None = None,
        every: int = 1,
        certainty: Certainty | None = None,
    ) -> None:
        if every < 1:
            raise BadInput(f"classification every {every} frames: give 1 or more")
        self._labels = labels
        self._smoother = smoother
        self._every = every
        self._certainty = certainty or Certainty()
        self._frame = 0
        # Of the faces in the last frame: one that comes back is classified at once.
        self._answers: dict[int, _Answer] = {}

    def due(self, tracks: Sequence[Track]) -> list[Track]:
        """Those of the next frame's faces that are to be classified in it."""
        self._frame += 1
        return [
            track
            for track in tracks
            if track.id not in self._answers or (self._frame + track.id) % self._every == 0
        ]

    def faces(
        self, tracks: Sequence[Track], due: Sequence[Track], rows: Floats, time_s: float
    ) -> tuple[Face, ...]:
        """The faces of a frame with their expressions.

        Args:
            tracks: all of them.
            due: those that `due` named.
            rows: float32 `(len(due), classes)`, the classifier's answers to these.
            time_s: of the frame in its source.
        """
        ids = [track.id for track in due]
        smooth = rows
        if self._smoother is not None and ids:
            with span("smooth"):
                smooth = self._smoother(ids, rows, time_s)
        fresh = {
            id_: (self._named(row), self._named(alone))
            for id_, row, alone in zip(ids, smooth, rows, strict=True)
        }
        known = self._answers | fresh
        self._answers = {track.id: known[track.id] for track in tracks}
        return tuple(self._face(track, *self._answers[track.id]) for track in tracks)

    def _face(self, track: Track, smooth: dict[str, float], alone: dict[str, float]) -> Face:
        unsure = self._certainty.doubt(track, max(smooth.values())) if smooth else None
        return Face(track, smooth, alone, unsure)

    def _named(self, row: Floats) -> dict[str, float]:
        return dict(zip(self._labels, row.tolist(), strict=True))


def landmarks_of(tracks: Sequence[Track]) -> Floats | None:
    """Their landmarks, float32 `(n, 5, 2)`, not a number where a face has none; None where all
    have none.
    """
    if not any(track.landmarks for track in tracks):
        return None
    unknown = ((nan, nan),) * 5
    return np.array([track.landmarks or unknown for track in tracks], np.float32)


def boxes_of(tracks: Sequence[Track]) -> Boxes:
    """Their boxes, float32 `(n, 4)`."""
    return np.array([track.box for track in tracks], np.float32).reshape(-1, 4)
