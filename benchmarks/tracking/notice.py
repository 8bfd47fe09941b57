"""How soon a tracker says that a face is gone, and how often it says so of a face in view."""

from __future__ import annotations

from dataclasses import dataclass

from fer_edge.engine.tracking.base import Follower

from .metrics import HIDDEN
from .sequences import Sequence

# A face of which more is seen than this has not gone.
IN_VIEW = 0.7


@dataclass(frozen=True)
class Notice:
    """What became of the faces of a sequence, detected in its first frame only.

    Attributes:
        delays: frames from the first in which a face was hidden to the one that says so, for
            each face that was hidden; -1 where it was never said.
        false_losses: faces reported lost while they were in view.
        in_view: faces that were followed and never hidden.
    """

    delays: list[int]
    false_losses: int
    in_view: int


def watch(sequence: Sequence, follower: Follower, patience: int = 15) -> Notice:
    """Follow the faces of the first frame.

    Args:
        sequence: with or without occlusions.
        follower: a new one.
        patience: frames to wait for a hidden face to be reported.
    """
    first = {id_: t.box for id_, t in sequence.truth[0].items() if t.visible >= IN_VIEW}
    follower.start(sequence.frames[0], first)
    hidden_at: dict[int, int] = {}
    lost_at: dict[int, int] = {}
    false = 0
    for index in range(1, len(sequence.frames)):
        found = follower.update(sequence.frames[index])
        for id_ in first:
            truth = sequence.truth[index].get(id_)
            visible = truth.visible if truth else 0.0
            if visible < HIDDEN:
                hidden_at.setdefault(id_, index)
            if id_ not in found and id_ not in lost_at:
                lost_at[id_] = index
                false += id_ not in hidden_at and visible >= IN_VIEW
    # A face that was given up while it was being covered was noticed at once.
    delays = [
        max(0, lost_at[id_] - start)
        if lost_at.get(id_, start + patience) < start + patience
        else -1
        for id_, start in hidden_at.items()
    ]
    return Notice(delays, false, len(first.keys() - hidden_at.keys()))
