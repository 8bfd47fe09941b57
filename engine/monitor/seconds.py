"""Frames to seconds: what was seen of each face, averaged over a second of wall time."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from ..types import Face, Unsure
from .levels import Level, Levels


@dataclass(frozen=True)
class FaceSecond:
    """A face during one second.

    Attributes:
        face: its id.
        frames: how many frames showed it.
        probabilities: label to mean probability, in an expression's second of the frames in which
            one was told; empty without expressions.
        expression: the label of the highest mean; None without expressions, and in a second
            in most of whose frames the model was unsure.
        level: what the expression stands for.
        unsure: why none is told, most often; None where one is.
    """

    face: int
    frames: int
    probabilities: dict[str, float]
    expression: str | None
    level: Level | None
    unsure: Unsure | None = None


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
class _FaceSum:
    told: int = 0
    of_told: np.ndarray | float = 0.0
    of_unsure: np.ndarray | float = 0.0
    doubts: Counter[Unsure] = field(default_factory=Counter)

    def add(self, values: np.ndarray, unsure: Unsure | None) -> None:
        if unsure is None:
            self.told += 1
            self.of_told = self.of_told + values
        else:
            self.doubts[unsure] += 1
            self.of_unsure = self.of_unsure + values

    @property
    def frames(self) -> int:
        return self.told + self.doubts.total()

    @property
    def unsure(self) -> Unsure | None:
        return self.doubts.most_common(1)[0][0] if self.doubts.total() > self.told else None

    @property
    def means(self) -> np.ndarray:
        if self.unsure is None:
            # What was not told decides nothing.
            return np.asarray(self.of_told) / self.told
        return np.asarray(self.of_told + self.of_unsure) / self.frames


@dataclass
class _Sum:
    frames: int = 0
    faces: dict[int, _FaceSum] = field(default_factory=dict)
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
                total.faces.setdefault(face.track.id, _FaceSum()).add(values, face.unsure)
                total.labels = tuple(face.probabilities)

    def drain(self, before: int) -> list[SourceSecond]:
        """Take out the seconds that began before UNIX time `before`, oldest first."""
        with self._lock:
            keys = sorted(key for key in self._sums if key[0] < before)
            taken = [(key, self._sums.pop(key)) for key in keys]
        return [self._second(key, total) for key, total in taken]

    def _second(self, key: tuple[int, int, int], total: _Sum) -> SourceSecond:
        faces = tuple(
            self._face(face, one, total.labels) for face, one in sorted(total.faces.items())
        )
        return SourceSecond(*key, total.frames, faces)

    def _face(self, face: int, one: _FaceSum, labels: tuple[str, ...]) -> FaceSecond:
        probabilities = dict(zip(labels, one.means.tolist(), strict=True))
        expression = None
        if labels and one.unsure is None:
            expression = max(probabilities, key=probabilities.__getitem__)
        level = self._levels(expression)
        return FaceSecond(face, one.frames, probabilities, expression, level, one.unsure)
