"""The tracker's kernels on arrays, by whatever runs launches: the stand-in, or a GPU."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import numpy as np

from fer_edge.engine.cuda.kcf import (
    FACE,
    NORMALS,
    PEAK,
    PLACE,
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
from fer_edge.engine.tracking.matching import INNER, SIDE
from fer_edge.engine.tracking.poses import Pose

from .cpu_gpu import StandIn


class Runner(Protocol):
    """As `benchmarks.gpu_checks.driver.Cuda`."""

    def upload(self, array: np.ndarray, address: int | None = None) -> int: ...

    def download(self, array: np.ndarray, address: int) -> None: ...

    def launch(self, launch: Launch) -> None: ...


class OnThisMachine:
    """Runs the stand-in's kernels on the arrays themselves, which the caller holds."""

    def __init__(self, kernels: StandIn) -> None:
        self._kernels = kernels

    def upload(self, array: np.ndarray, address: int | None = None) -> int:
        return array.ctypes.data

    def download(self, array: np.ndarray, address: int) -> None:
        assert address == array.ctypes.data

    def launch(self, launch: Launch) -> None:
        self._kernels.run(launch)


class KernelsOnArrays:
    """Faces in an array of slots, of which some are used, in any order."""

    def __init__(self, runner: Runner, slots: Sequence[int]) -> None:
        self.slots = list(slots)
        # What was never written must not matter: NaN, where numbers are.
        self._memory = np.zeros(max(slots) + 1, FACE)
        self._memory.view(np.uint8)[:] = 0xFF
        self._tables = tables(window_of(SIDE), wanted_of(SIDE)).reshape(1)
        self._runner = runner
        self._at = runner.upload(self._memory), runner.upload(self._tables)
        self._places = np.zeros(len(slots), PLACE)
        self._places_at = runner.upload(self._places)

    @property
    def faces(self) -> np.ndarray:
        """Copies of their records."""
        self._runner.download(self._memory, self._at[0])
        return self._memory[self.slots]

    def learn(self, frame: BgrFrame, poses: Sequence[Pose], rates: np.ndarray) -> None:
        self.run(self.learning(frame, poses, rates))

    def learning(self, frame: BgrFrame, poses: Sequence[Pose], rates: np.ndarray) -> list[Launch]:
        return learn_launches(frame, self._placed(poses, rates), LAMBDA)

    def find(self, frame: BgrFrame, poses: Sequence[Pose]) -> np.ndarray:
        peaks = np.full(len(poses), np.nan, PEAK)
        at = self._runner.upload(peaks)
        return self._answered(peaks, self.finding(frame, poses, at), at)

    def finding(self, frame: BgrFrame, poses: Sequence[Pose], peaks: int) -> list[Launch]:
        return find_launches(frame, self._placed(poses), LOBE, peaks)

    def take(self, frame: BgrFrame, poses: Sequence[Pose]) -> None:
        self.run([cut_faces_launch(frame, self._placed(poses))])

    def weigh(self, sizes: np.ndarray) -> None:
        self._runner.download(self._memory, self._at[0])
        self._memory["weights"][self.slots] = weights_of(sizes, INNER)
        self._runner.upload(self._memory, self._at[0])

    def adopt(self, rates: np.ndarray) -> np.ndarray:
        normals = np.full((len(rates), *NORMALS.shape), np.nan, np.float32)
        at = self._runner.upload(normals)
        return self._answered(normals, self.adopting(rates, at), at)

    def adopting(self, rates: np.ndarray, normals: int) -> list[Launch]:
        return adopt_launches(self._placed([Pose(0, 0, 1, 0)] * len(rates), rates), normals)

    def align(self, frame: BgrFrame, poses: Sequence[Pose]) -> np.ndarray:
        products = np.full((len(poses), *PRODUCTS.shape), np.nan, np.float32)
        at = self._runner.upload(products)
        return self._answered(products, self.aligning(frame, poses, at), at)

    def aligning(self, frame: BgrFrame, poses: Sequence[Pose], products: int) -> list[Launch]:
        return align_launches(frame, self._placed(poses), products)

    def run(self, launches: Sequence[Launch]) -> None:
        for launch in launches:
            self._runner.launch(launch)

    def _placed(self, poses: Sequence[Pose], rates: np.ndarray | None = None) -> Faces:
        self._places[:] = places(poses, self.slots, rates)
        self._runner.upload(self._places, self._places_at)
        return Faces(self._at[0], self._places_at, len(poses), self._at[1])

    def _answered(self, out: np.ndarray, launches: Sequence[Launch], at: int) -> np.ndarray:
        self.run(launches)
        self._runner.download(out, at)
        return out
