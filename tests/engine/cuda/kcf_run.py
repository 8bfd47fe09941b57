"""The tracker's kernels on memory of ours, run by whatever runs launches."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import numpy as np

from fer_edge.engine.cuda.kcf import (
    FACE,
    NORMALS,
    PEAK,
    PRODUCTS,
    Faces,
    adopt_launches,
    align_launches,
    cut_faces_launch,
    find_launches,
    learn_launches,
    tables,
)
from fer_edge.engine.cuda.launch import BgrFrame, Launch
from fer_edge.engine.gpu.kcf import places
from fer_edge.engine.tracking.alignment import weights_of
from fer_edge.engine.tracking.correlation import LAMBDA, LOBE, wanted_of, window_of
from fer_edge.engine.tracking.poses import Pose


class Runner(Protocol):
    def run(self, launch: Launch) -> None: ...


class KernelsOnArrays:
    """Faces in an array of slots, of which some are used, in any order."""

    def __init__(self, runner: Runner, slots: Sequence[int]) -> None:
        self.slots = list(slots)
        # What was never written must not matter: NaN, where numbers are.
        self.memory = np.zeros(max(slots) + 1, FACE)
        self.memory.view(np.uint8)[:] = 0xFF
        self._runner = runner
        self._tables = tables(window_of(64), wanted_of(64)).reshape(1)

    @property
    def faces(self) -> np.ndarray:
        """Copies of their records."""
        return self.memory[self.slots]

    def learn(self, frame: BgrFrame, poses: Sequence[Pose], rates: np.ndarray) -> None:
        given, _held = self._given(poses, rates)
        self._run(learn_launches(frame, given, LAMBDA))

    def find(self, frame: BgrFrame, poses: Sequence[Pose]) -> np.ndarray:
        given, _held = self._given(poses)
        peaks = np.full(len(poses), np.nan, PEAK)
        self._run(find_launches(frame, given, LOBE, peaks.ctypes.data))
        return peaks

    def take(self, frame: BgrFrame, poses: Sequence[Pose]) -> None:
        given, _held = self._given(poses)
        self._run([cut_faces_launch(frame, given)])

    def weigh(self, sizes: np.ndarray) -> None:
        self.memory["weights"][self.slots] = weights_of(sizes, 40)

    def adopt(self, rates: np.ndarray) -> np.ndarray:
        given, _held = self._given([Pose(0, 0, 1, 0)] * len(rates), rates)
        normals = np.full((len(rates), *NORMALS.shape), np.nan, np.float32)
        self._run(adopt_launches(given, normals.ctypes.data))
        return normals

    def align(self, frame: BgrFrame, poses: Sequence[Pose]) -> np.ndarray:
        given, _held = self._given(poses)
        products = np.full((len(poses), *PRODUCTS.shape), np.nan, np.float32)
        self._run(align_launches(frame, given, products.ctypes.data))
        return products

    def _given(
        self, poses: Sequence[Pose], rates: np.ndarray | None = None
    ) -> tuple[Faces, np.ndarray]:
        """Addresses, and what has to be held while they are used."""
        rows = places(poses, self.slots, rates)
        at = self.memory.ctypes.data, rows.ctypes.data, len(rows), self._tables.ctypes.data
        return Faces(*at), rows

    def _run(self, launches: Sequence[Launch]) -> None:
        for launch in launches:
            self._runner.run(launch)
