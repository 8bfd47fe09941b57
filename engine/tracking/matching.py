"""What a follower computes of pixels, apart from what it decides."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext

import numpy as np
import numpy.typing as npt

from ..gray import GrayMemory
from ..types import Floats, Image
from .alignment import Step, Templates
from .correlation import CorrelationFilters, Peak
from .patches import GrayFrame
from .poses import Pose

# Side of a patch in template pixels, and of its middle that holds the face.
SIDE, INNER = 64, 40
_NOTHING_TO_CLOSE = nullcontext()


class Matching(ABC):
    """The filters and templates of faces, a row a face, and their comparison with frames.

    Poses are given a row each, in the order of the rows. `find`, `align`, `align_some` and
    `learn` are called inside `with matching.seeing(...)` and read the frame that was given there.
    """

    @abstractmethod
    def add(self, image: Image, poses: Sequence[Pose], sizes: npt.NDArray[np.float64]) -> None:
        """Append a filter and a template for each face.

        Args:
            image: BGR uint8 `(h, w, 3)` with the faces.
            poses: where they are.
            sizes: `(n, 2)`: width and height of the faces in template pixels.
        """

    @abstractmethod
    def keep(self, rows: Sequence[int]) -> None:
        """Keep these rows, in their order, and forget the others."""

    @abstractmethod
    def seeing(self, image: Image, poses: Sequence[Pose]) -> AbstractContextManager[object]:
        """Take the next frame.

        Args:
            image: BGR uint8 `(h, w, 3)`.
            poses: where the faces are expected.
        """

    @abstractmethod
    def find(self, poses: Sequence[Pose]) -> list[Peak]:
        """How far from these poses the filters respond most."""

    @abstractmethod
    def align(self, poses: Sequence[Pose]) -> list[Step]:
        """What the templates say of the faces at these poses."""

    @abstractmethod
    def align_some(self, poses: Sequence[Pose], rows: list[int]) -> list[Step]:
        """The same of some rows only, though there are poses of all; a step for each."""

    @abstractmethod
    def learn(self, poses: Sequence[Pose], rates: Floats) -> None:
        """Let the filters take in the faces at these poses.

        Args:
            poses: where they are.
            rates: float32 `(n,)`, 0-1: share of what is new.
        """

    @abstractmethod
    def adopt(self, rates: Floats) -> None:
        """Let the templates take in what they saw last; rates as of `learn`."""


class PatchMatching(Matching):
    """On the CPU, with OpenCV and NumPy."""

    def __init__(self) -> None:
        self._filters = CorrelationFilters(SIDE)
        self._templates = Templates(INNER)
        self._memory = GrayMemory()
        self._frame: GrayFrame | None = None
        self._count = 0
        self._patches: Image = np.empty((4, SIDE, SIDE), np.uint8)
        # The faces of the last frame.
        self._faces: Image = np.empty((4, INNER, INNER), np.uint8)

    def add(self, image: Image, poses: Sequence[Pose], sizes: npt.NDArray[np.float64]) -> None:
        """Append a filter and a template for each face; see `Matching.add`."""
        first, self._count = self._count, self._count + len(poses)
        self._reserve(self._count)
        patches = self._patches[first : self._count]
        GrayFrame(image, poses, SIDE, self._memory).cut(poses, patches)
        self._faces[first : self._count] = _middle(patches)
        self._filters.add(patches)
        self._templates.add(_middle(patches), sizes)

    def keep(self, rows: Sequence[int]) -> None:
        """Keep these rows; see `Matching.keep`."""
        chosen = np.array(rows, np.intp)
        self._faces[: len(rows)] = self._faces[chosen]
        self._filters.keep(chosen)
        self._templates.keep(chosen)
        self._count = len(rows)

    def seeing(self, image: Image, poses: Sequence[Pose]) -> AbstractContextManager[object]:
        """Take the next frame; see `Matching.seeing`."""
        self._frame = GrayFrame(image, poses, SIDE, self._memory)
        return _NOTHING_TO_CLOSE

    def find(self, poses: Sequence[Pose]) -> list[Peak]:
        """How far from these poses the filters respond most."""
        return self._filters.find(self._cut(poses))

    def align(self, poses: Sequence[Pose]) -> list[Step]:
        """What the templates say of the faces at these poses."""
        return self._templates.align(self._cut_faces(poses))

    def align_some(self, poses: Sequence[Pose], rows: list[int]) -> list[Step]:
        """What the templates of some rows say; see `Matching.align_some`."""
        return self._templates.align_some(self._cut_faces(poses), rows)

    def learn(self, poses: Sequence[Pose], rates: Floats) -> None:
        """Let the filters take in the faces at these poses; see `Matching.learn`."""
        self._filters.learn(self._cut(poses), rates)

    def adopt(self, rates: Floats) -> None:
        """Let the templates take in what was seen last; see `Matching.adopt`."""
        self._templates.learn(self._faces[: self._count], rates)

    def _cut(self, poses: Sequence[Pose]) -> Image:
        assert self._frame is not None
        patches = self._patches[: self._count]
        self._frame.cut(poses, patches)
        return patches

    def _cut_faces(self, poses: Sequence[Pose]) -> Image:
        assert self._frame is not None
        faces = self._faces[: self._count]
        self._frame.cut(poses, faces)
        return faces

    def _reserve(self, count: int) -> None:
        if count > len(self._patches):
            self._patches = np.empty((2 * count, SIDE, SIDE), np.uint8)
            kept = self._faces
            self._faces = np.empty((2 * count, INNER, INNER), np.uint8)
            self._faces[: len(kept)] = kept


def _middle(patches: Image) -> Image:
    edge = (SIDE - INNER) // 2
    return patches[:, edge:-edge, edge:-edge]
