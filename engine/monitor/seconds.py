"""Frames to seconds: what was seen of each face, averaged over a second of wall time."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from ..types import Face
from .levels import Level, Levels


@dataclass(frozen=True)
class FaceSecond:
    """A face during one second.

    Attributes:
        face: its id.
        frames: how many frames showed it.
        probabilities: label to mean probability; empty without expressions.
        expression: the label of the highest mean; None without expressions.
        level: what the expression stands for.
    """

    face: int
    frames: int
    probabilities: dict[str, float]
    expression: str | None
    level: Level | None


@dataclass(frozen=True)
class SourceSecond:
    """A source during one second in which it gave at least one frame.

    Attributes:
        time: UNIX time in whole seconds.
        source, run: see `streams.StreamResult`.
        frames: processed frames.
        faces: in the order of their ids.
    """

    time: int
    source: int
    run: int
    frames: int
    faces: tuple[FaceSecond, ...]


@dataclass
class _Sum:
    frames: int = 0
    faces: dict[int, tuple[int, np.ndarray]] = field(default_factory=dict)
    labels: tuple[str, ...] = ()


class Seconds:
    """Collects frames and gives whole seconds back. May be used from several threads."""

    def __init__(self, levels: Levels) -> None:
        self._levels = levels
        self._sums: dict[tuple[int, int, int], _Sum] = {}
        self._lock = threading.Lock()

    def add(self, time_s: float, source: int, run: int, faces: Sequence[Face]) -> None:
        """Count a frame at UNIX time `time_s`."""
        with self._lock:
            total = self._sums.setdefault((int(time_s), source, run), _Sum())
            total.frames += 1
            for face in faces:
                values = np.fromiter(face.probabilities.values(), float, len(face.probabilities))
                count, before = total.faces.get(face.track.id, (0, 0.0))
                total.faces[face.track.id] = (count + 1, before + values)
                total.labels = tuple(face.probabilities)

    def drain(self, before: int) -> list[SourceSecond]:
        """Take out the seconds that began before UNIX time `before`, oldest first."""
        with self._lock:
            keys = sorted(key for key in self._sums if key[0] < before)
            taken = [(key, self._sums.pop(key)) for key in keys]
        return [self._second(key, total) for key, total in taken]

    def _second(self, key: tuple[int, int, int], total: _Sum) -> SourceSecond:
        faces = tuple(
            self._face(face, count, values / count, total.labels)
            for face, (count, values) in sorted(total.faces.items())
        )
        return SourceSecond(*key, total.frames, faces)

    def _face(
        self, face: int, frames: int, means: np.ndarray, labels: tuple[str, ...]
    ) -> FaceSecond:
        probabilities = dict(zip(labels, means.tolist(), strict=True))
        expression = max(probabilities, key=probabilities.__getitem__) if labels else None
        return FaceSecond(face, frames, probabilities, expression, self._levels(expression))
