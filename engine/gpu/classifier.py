"""The expression model on the GPU: a kernel cuts all faces out of the frame into one batch."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ..backends.tensorrt import TensorRTBackend
from ..classifier import ExpressionClassifier, View
from ..cuda.launch import BgrFrame, face_squares, faces_launch
from ..model import FaceFrame
from ..tensorrt.buffers import batches_of
from ..tracing import span
from ..types import Floats, Image
from .frames import FrameUploads
from .inputs import kernel_precision

_SQUARE_BYTES = 3 * np.dtype(np.int32).itemsize


class GPUExpressionClassifier(ExpressionClassifier):
    """An `ExpressionClassifier` that reads the frame which the detector had, on the GPU.

    Args:
        backend: an open engine of kind `expression`; see `has_kernel`.
        frames: shared with the detector.
        head, face_frame: see `ExpressionClassifier`.
    """

    def __init__(
        self,
        backend: TensorRTBackend,
        frames: FrameUploads,
        head: str = "votes",
        face_frame: FaceFrame | None = None,
    ) -> None:
        super().__init__(backend, head, face_frame)
        self._execution = execution = backend.execution()
        self._frames = frames
        self._see = backend.facts.input
        self._address, tensor = execution.input(self._see.name)
        self._precision = kernel_precision(tensor)
        size = execution.largest * _SQUARE_BYTES
        with execution.device.current():
            self._memory = execution.device.memory(size)
            self._pinned = execution.device.pinned(size).view(np.int32).reshape(-1, 3)

    def batch(self, views: Sequence[View]) -> list[Floats]:
        """Classify the faces of several frames, frame by frame: each is uploaded by itself."""
        return [self(*view) for view in views]

    def close(self) -> None:
        """Give its own memory back; may be called twice."""
        if self._memory is None:
            return
        with self._execution.device.current():
            self._memory.free()
            self._memory, self._pinned = None, np.empty((0, 3), np.int32)

    def _probabilities(self, image: Image, crops: Floats) -> Floats:
        if crops[:, 4].any():
            # The kernel turns nothing. Tilted heads are rare enough to be cut out on the CPU.
            return super()._probabilities(image, crops)
        execution = self._execution
        squares = face_squares(crops)
        parts = batches_of(len(crops), execution.least, execution.largest)
        rows: list[Floats] = []
        with execution.device.current(), span("classify"):
            with self._frames.frame(image, "classifier", execution.stream) as frame:
                done = 0
                for part, (count, _) in enumerate(parts, 1):
                    self._launch(frame, squares[done : done + count])
                    done += count
                    if part < len(parts):
                        rows.append(self._run(*parts[part - 1]))
            # The last, and mostly the only one, leaves the frame to others while it runs.
            rows.append(self._run(*parts[-1]))
        return np.concatenate(rows)

    def _run(self, count: int, batch: int) -> Floats:
        self._execution.run(batch)
        return self._execution.results(batch, count)[self._output]

    def _launch(self, frame: BgrFrame, squares: np.ndarray) -> None:
        """Queue the copy of the squares, and the kernel that reads them."""
        execution = self._execution
        # Free to be written to: the batch before has been waited for.
        part = self._pinned[: len(squares)]
        part[...] = squares
        execution.device.upload(int(self._memory), part, execution.stream)
        launch = faces_launch(
            frame, int(self._memory), len(squares), self._see, self._address, self._precision
        )
        execution.device.launch(launch, execution.stream)
