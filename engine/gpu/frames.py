"""Frames on the GPU: each is uploaded once, while the one before is worked on.

There are two slots, each a frame in pinned memory and the same in the GPU's, and a stream of
their own for the copies. Events order them: a kernel waits for its frame, and an upload for the
kernels that still read what it replaces.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from ..cuda.device import Device
from ..cuda.launch import BgrFrame
from ..tracing import span
from ..types import Image

SLOTS = 2

# A detector looks at a frame once in an input for small faces, and once in one for close-ups; a
# follower of faces once to find them, and once to start with new ones.
Stage = Literal["detector", "close-ups", "classifier", "follower", "start"]
STAGES: tuple[Stage, ...] = ("detector", "close-ups", "classifier", "follower", "start")


@dataclass
class _Slot:
    """A frame on its way to the GPU, or there.

    Attributes:
        image: the array it is a copy of; None when it holds none.
        pinned, memory: where it lies here and on the GPU.
        uploaded: event behind the copy.
        read: for each stage, the event behind its kernel.
        served: the stages that had it.
    """

    uploaded: Any
    read: dict[Stage, Any]
    image: Image | None = None
    pinned: npt.NDArray[np.uint8] = field(default_factory=lambda: np.empty(0, np.uint8))
    memory: Any = None
    served: set[Stage] = field(default_factory=set)


class FrameUploads:
    """Uploads frames and lends them to stages, which may run in threads of their own.

    A frame is known by its array, and serves each stage once: an array that comes to a stage
    for a second time may hold another picture, and is uploaded again.

    Attributes:
        device: the GPU.
        count: uploads so far.
    """

    def __init__(self, device: Device) -> None:
        self.device = device
        self.count = 0
        self._lock = threading.Lock()
        with device.current():
            self._stream: Any = device.stream()
            self._slots = [
                _Slot(device.event(), {stage: device.event() for stage in STAGES})
                for _ in range(SLOTS)
            ]

    def begin(self, image: Image) -> None:
        """Begin the upload of a BGR uint8 frame `(h, w, 3)` and return at once.

        What is in the array now is uploaded; it may be written to afterwards.
        """
        with self.device.current(), self._lock:
            self._upload(image)

    @contextmanager
    def frame(self, image: Image, stage: Stage, stream: Any) -> Iterator[BgrFrame]:
        """Lend a frame to a stage, for the kernels that it queues on a stream meanwhile.

        Args:
            image: BGR uint8 `(h, w, 3)`; uploaded now where `begin` was not called for it.
            stage: that reads it.
            stream: on which it is read; made to wait for the upload.
        """
        with self._lock:
            slot = self._slot_of(image, stage) or self._upload(image)
            slot.served.add(stage)
            stream.wait_for_event(slot.uploaded)
            height, width = image.shape[:2]
            try:
                yield BgrFrame(int(slot.memory), width, height, 3 * width)
            finally:
                slot.read[stage].record(stream)

    def close(self) -> None:
        """Give all memory back; may be called twice."""
        with self.device.current(), self._lock:
            if self._stream is None:
                return
            self._stream.synchronize()
            for slot in self._slots:
                if slot.memory is not None:
                    slot.memory.free()
            # While the context is current, as PyCUDA wants it.
            self._slots, self._stream = [], None

    def _slot_of(self, image: Image, stage: Stage) -> _Slot | None:
        for slot in self._slots:
            if slot.image is image and stage not in slot.served:
                return slot
        return None

    def _upload(self, image: Image) -> _Slot:
        with span("upload"):
            return self._copied(image)

    def _copied(self, image: Image) -> _Slot:
        # The older of the two: they take turns.
        slot = self._slots[self.count % SLOTS]
        self._make_room(slot, image.nbytes)
        # The copy out of this pinned memory has to be over before it is written to.
        slot.uploaded.synchronize()
        view = slot.pinned[: image.nbytes]
        np.copyto(view.reshape(image.shape), image)
        for stage in slot.served:
            self._stream.wait_for_event(slot.read[stage])
        self.device.upload(int(slot.memory), view, self._stream)
        slot.uploaded.record(self._stream)
        slot.image = image
        slot.served.clear()
        self.count += 1
        return slot

    def _make_room(self, slot: _Slot, size: int) -> None:
        """Allocate at the first frame, and at a larger one."""
        if slot.pinned.nbytes >= size:
            return
        self._stream.synchronize()
        if slot.memory is not None:
            for stage in slot.served:
                slot.read[stage].synchronize()
            slot.memory.free()
        slot.memory = self.device.memory(size)
        slot.pinned = self.device.pinned(size)
