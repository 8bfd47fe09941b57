"""The tracker's arithmetic on the GPU: poses go up, peaks and sums over blocks come back.

What is decided with them, and the small equations of an alignment, are the CPU's own code:
`tracking.kcf` and `tracking.alignment.Equations`.
"""

from __future__ import annotations

import weakref
from collections.abc import Callable, Hashable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np
import numpy.typing as npt

from ..cuda.device import Device
from ..cuda.graph import CaptureFailed, Graph, capture
from ..cuda.kcf import (
    FACE,
    MAX_LEVEL,
    NORMALS,
    PEAK,
    PLACE,
    PRODUCTS,
    TABLES,
    Faces,
    adopt_launches,
    align_launches,
    cut_faces_launch,
    find_launches,
    learn_launches,
    tables,
)
from ..cuda.launch import BgrFrame, Launch
from ..tracking.alignment import UNKNOWNS, Equations, Reals, Step, weights_of
from ..tracking.correlation import LAMBDA, LOBE, Peak, wanted_of, window_of
from ..tracking.kcf import KCF
from ..tracking.matching import INNER, SIDE, Matching
from ..tracking.poses import Pose
from ..types import Floats, Image
from .frames import FrameUploads

# Faces that there is memory for from the start.
_FACES = 16
_RESULT_BYTES = max(kind.itemsize for kind in (PEAK, PRODUCTS, NORMALS))
# Of each kind of work, for each place of a frame and number of faces; then all are made anew.
_MOST_GRAPHS = 128
_WEIGHTS = FACE["weights"]


class GPUTracking:
    """Makes followers of faces whose frames are on the GPU; they take turns on one stream.

    Args:
        frames: shared with the other stages.
    """

    def __init__(self, frames: FrameUploads) -> None:
        self._frames = frames
        self._made: weakref.WeakSet[GPUMatching] = weakref.WeakSet()
        with frames.device.current():
            self._stream: Any = frames.device.stream()

    def follower(self) -> KCF:
        """A new follower; its memory goes back with it, or with this."""
        with self._frames.device.current():
            self._frames.device.load("kcf")
        matching = GPUMatching(self._frames, self._stream)
        self._made.add(matching)
        return KCF(matching)

    def close(self) -> None:
        """Give all memory back; may be called twice."""
        for matching in list(self._made):
            matching.close()
        with self._frames.device.current():
            # While the context is current, as PyCUDA wants it.
            self._stream = None


class GPUMatching(Matching):
    """`Matching` by the kernels of `kcf.cu`.

    A frame is read in `seeing` and once in `add`. No memory is allocated until there are more
    faces than ever before, and more than sixteen. What is asked of a frame is recorded for each
    number of faces, and replayed by one call: launch by launch and copy by copy, a host takes
    longer to queue it than the CPU's tracker to follow one face.

    Args:
        frames: where the frames are.
        stream: to work on.
    """

    def __init__(self, frames: FrameUploads, stream: Any) -> None:
        self._frames = frames
        self._device = frames.device
        self._stream = stream
        self._memory = _Memory(frames.device, stream, _FACES)
        self._work = _Work(frames.device, stream)
        self._equations = Equations()
        # Of each row, where its face lies.
        self._slots: list[int] = []
        self._frame: BgrFrame | None = None
        # At the end of a process the memory goes with it.
        self._closing = weakref.finalize(self, _close, self._work, self._memory)
        self._closing.atexit = False

    def add(self, image: Image, poses: Sequence[Pose], sizes: npt.NDArray[np.float64]) -> None:
        """Append a filter and a template for each face; see `Matching.add`."""
        first = len(self._slots)
        with self._device.current():
            if first + len(poses) > self._memory.capacity:
                self._work.forget()
                self._memory.grow(2 * (first + len(poses)))
            free = sorted(set(range(self._memory.capacity)) - set(self._slots))
            self._slots += free[: len(poses)]
            new = self._slots[first:]
            self._memory.put_weights(new, weights_of(sizes, INNER))
            ones = np.ones(len(new), np.float32)
            with self._frames.frame(image, "start", self._stream) as frame:
                faces = self._memory.put_places(places(poses, new, ones))
                self._queue(learn_launches(frame, faces, LAMBDA))
                self._queue([cut_faces_launch(frame, faces)])
            self._equations.put(first, self._normals(faces))

    def keep(self, rows: Sequence[int]) -> None:
        """Keep these rows; see `Matching.keep`. Slots of the others are free."""
        self._slots = [self._slots[row] for row in rows]
        self._equations.keep(np.array(rows, np.intp))

    @contextmanager
    def seeing(self, image: Image, poses: Sequence[Pose]) -> Iterator[None]:
        """Take the next frame, and hold it; see `Matching.seeing`."""
        with (
            self._device.current(),
            self._frames.frame(image, "follower", self._stream) as frame,
        ):
            self._frame = frame
            try:
                yield
            finally:
                self._frame = None

    def find(self, poses: Sequence[Pose]) -> list[Peak]:
        """How far from these poses the filters respond most."""

        def launches(faces: Faces) -> list[Launch]:
            return find_launches(self._seen(), faces, LOBE, self._memory.results)

        self._ask("find", places(poses, self._slots), launches, PEAK)
        return [Peak(*row) for row in self._memory.results_of(PEAK, len(poses)).tolist()]

    def align(self, poses: Sequence[Pose]) -> list[Step]:
        """What the templates say of the faces at these poses."""
        return self._equations.solve(*self._products(poses))

    def align_some(self, poses: Sequence[Pose], rows: list[int]) -> list[Step]:
        """What the templates of some rows say; see `Matching.align_some`."""
        return self._equations.solve_some(*self._products(poses), rows)

    def learn(self, poses: Sequence[Pose], rates: Floats) -> None:
        """Let the filters take in the faces at these poses; see `Matching.learn`."""
        rows = places(poses, self._slots, rates)
        self._ask("learn", rows, lambda faces: learn_launches(self._seen(), faces, LAMBDA))

    def adopt(self, rates: Floats) -> None:
        """Let the templates take in what was seen last; see `Matching.adopt`."""
        with self._device.current():
            rows = np.zeros(len(rates), PLACE)
            rows["slot"], rows["rate"] = self._slots, rates
            self._equations.put(0, self._normals(self._memory.put_places(rows)))

    def close(self) -> None:
        """Give its memory back; may be called twice."""
        self._closing()
        self._stream = None

    def _seen(self) -> BgrFrame:
        assert self._frame is not None, "outside `seeing`"
        return self._frame

    def _products(self, poses: Sequence[Pose]) -> tuple[Reals, Reals]:
        def launches(faces: Faces) -> list[Launch]:
            return align_launches(self._seen(), faces, self._memory.results)

        self._ask("align", places(poses, self._slots), launches, PRODUCTS)
        found = self._memory.results_of(PRODUCTS, len(poses)).astype(np.float64)
        return found[..., :UNKNOWNS], found[..., UNKNOWNS]

    def _normals(self, faces: Faces) -> Floats:
        self._queue(adopt_launches(faces, self._memory.results))
        self._memory.download_results(NORMALS, faces.count)
        return self._memory.results_of(NORMALS, faces.count)

    def _ask(
        self,
        name: str,
        rows: np.ndarray,
        launches: Callable[[Faces], list[Launch]],
        results: np.dtype[Any] | None = None,
    ) -> None:
        """Queue work on the frame that is seen: places up, kernels, results down."""
        frame, memory = self._seen(), self._memory
        faces = memory.write_places(rows)

        def queue() -> None:
            memory.upload_places(faces.count)
            self._queue(launches(faces))
            if results is not None:
                memory.download_results(results, faces.count)

        self._work.do((name, frame, faces.count), queue)
        memory.copied()

    def _queue(self, launches: Sequence[Launch]) -> None:
        for launch in launches:
            self._device.launch(launch, self._stream)


def places(poses: Sequence[Pose], slots: Sequence[int], rates: Floats | None = None) -> np.ndarray:
    """Records of type `PLACE` for patches at poses; see `patches.GrayFrame.cut`.

    Args:
        poses: where the patches lie in the frame.
        slots: of the faces.
        rates: float32 `(n,)`; None for nothing to be learnt.
    """
    rows = np.zeros(len(poses), PLACE)
    x, y, scale, angle = np.array(poses, np.float64).reshape(-1, 4).T
    # As patches.level_of.
    level = np.clip(np.rint(np.log2(scale)), 0, MAX_LEVEL)
    shrink = np.exp2(-level)
    # Pixel i covers i to i + 1, in every halved picture too.
    rows["x"], rows["y"] = x * shrink - 0.5, y * shrink - 0.5
    rows["cosine"], rows["sine"] = scale * shrink * np.cos(angle), scale * shrink * np.sin(angle)
    rows["level"], rows["slot"] = level, slots
    if rates is not None:
        rows["rate"] = rates
    return rows


class _Work:
    """Work that is queued call by call at first, and recorded meanwhile."""

    def __init__(self, device: Device, stream: Any) -> None:
        self._device = device
        self._stream = stream
        self._graphs: dict[Hashable, Graph] = {}
        self._records = True

    def do(self, key: Hashable, queue: Callable[[], None]) -> None:
        """Queue work.

        Args:
            key: what was the same the last time, so that the work was, too.
            queue: queues it, and nothing else.
        """
        if key in self._graphs:
            self._graphs[key].launch(self._stream)
            return
        queue()
        if not self._records:
            return
        if len(self._graphs) >= _MOST_GRAPHS:
            self.forget()
        try:
            self._graphs[key] = capture(self._stream, queue)
        except CaptureFailed:
            # Queued call by call, then: slower and as right.
            self._records = False

    def forget(self) -> None:
        """Record all anew: addresses have changed."""
        if not self._graphs:
            return
        self._stream.synchronize()
        for graph in self._graphs.values():
            graph.close()
        self._graphs = {}

    def close(self) -> None:
        """Give what is recorded back; may be called twice."""
        with self._device.current():
            self.forget()
            self._stream = None


def _close(work: _Work, memory: _Memory) -> None:
    work.close()
    memory.close()


class _Memory:
    """The memory of one follower's faces, here and on the GPU."""

    def __init__(self, device: Device, stream: Any, capacity: int) -> None:
        self.capacity = 0
        self._device = device
        self._stream = stream
        with device.current():
            # Marks the end of the last copy from pinned memory.
            self._copied: Any = device.event()
            self._tables: Any = device.memory(TABLES.itemsize)
            pinned = device.pinned(TABLES.itemsize)
            pinned[:] = tables(window_of(SIDE), wanted_of(SIDE)).reshape(1).view(np.uint8)
            device.upload(int(self._tables), pinned, stream)
            stream.synchronize()
            del pinned
            self._allocate(capacity)

    @property
    def results(self) -> int:
        """The address that results are written to."""
        return int(self._taken)

    def grow(self, count: int) -> None:
        """Make room for so many faces; those that are there stay in their slots."""
        self._stream.synchronize()
        before, kept = (self._faces, self._given, self._taken), self.capacity
        self._allocate(count)
        self._device.copy(int(self._faces), int(before[0]), kept * FACE.itemsize, self._stream)
        self._stream.synchronize()
        for memory in before:
            memory.free()

    def put_places(self, rows: np.ndarray) -> Faces:
        """Queue the copy of records of type `PLACE`."""
        faces = self.write_places(rows)
        self.upload_places(len(rows))
        self.copied()
        return faces

    def write_places(self, rows: np.ndarray) -> Faces:
        """Write records to where `upload_places` copies from."""
        self._copied.synchronize()
        self._places_here[: rows.nbytes] = rows.view(np.uint8)
        return Faces(int(self._faces), int(self._given), len(rows), int(self._tables))

    def upload_places(self, count: int) -> None:
        """Queue the copy of so many of them to the GPU."""
        view = self._places_here[: count * PLACE.itemsize]
        self._device.upload(int(self._given), view, self._stream)

    def copied(self) -> None:
        """Note that all copies are queued; what they read is written to when they are done."""
        self._copied.record(self._stream)

    def put_weights(self, slots: Sequence[int], weights: Floats) -> None:
        """Queue the copy of weights, float32 `(n, 40, 40)`, to some slots."""
        self._copied.synchronize()
        offset = FACE.fields["weights"][1]  # type: ignore[index]
        size = _WEIGHTS.itemsize
        view = self._weights_here[: len(slots) * size]
        view.view(np.float32)[:] = weights.ravel()
        for row, slot in enumerate(slots):
            at = int(self._faces) + slot * FACE.itemsize + offset
            self._device.upload(at, view[row * size : (row + 1) * size], self._stream)
        self._copied.record(self._stream)

    def download_results(self, kind: np.dtype[Any], count: int) -> None:
        """Queue the copy of so many results to here."""
        view = self._results_here[: count * kind.itemsize]
        self._device.download(view, int(self._taken), self._stream)

    def results_of(self, kind: np.dtype[Any], count: int) -> np.ndarray:
        """Wait for results, and look at them; they stay until the next are copied."""
        self._stream.synchronize()
        view = self._results_here[: count * kind.itemsize]
        return view.view(kind.base).reshape(count, *kind.shape)

    def close(self) -> None:
        """Give all of it back; may be called twice."""
        if self._stream is None:
            return
        with self._device.current():
            self._stream.synchronize()
            for memory in (self._tables, self._faces, self._given, self._taken):
                memory.free()
            # While the context is current, as PyCUDA wants it.
            nothing = np.empty(0, np.uint8)
            self._places_here = self._weights_here = self._results_here = nothing
            self._copied = self._stream = None

    def _allocate(self, capacity: int) -> None:
        device, self.capacity = self._device, capacity
        self._faces: Any = device.memory(capacity * FACE.itemsize)
        self._given: Any = device.memory(capacity * PLACE.itemsize)
        self._taken: Any = device.memory(capacity * _RESULT_BYTES)
        self._places_here = device.pinned(capacity * PLACE.itemsize)
        self._weights_here = device.pinned(capacity * _WEIGHTS.itemsize)
        self._results_here = device.pinned(capacity * _RESULT_BYTES)
