"""The detector on the GPU: a kernel makes its input, and the survivors come back in one copy."""

from __future__ import annotations

from ..backends.tensorrt import TensorRTBackend
from ..cuda.launch import frame_launch
from ..detector import Detector
from ..input_size import InputSizes
from ..model import InputFacts
from ..tracing import span
from ..types import Floats, Image
from .frames import FrameUploads
from .inputs import kernel_precision


class GPUDetector(Detector):
    """A `Detector` whose frames are already on the GPU, or are brought there once.

    Args:
        backend: an open engine of kind `detector`; see `has_kernel`.
        frames: shared with the classifier.
        min_score, sizes: see `Detector`.
    """

    def __init__(
        self,
        backend: TensorRTBackend,
        frames: FrameUploads,
        min_score: float = 0.0,
        sizes: InputSizes | None = None,
    ) -> None:
        super().__init__(backend, min_score, sizes=sizes)
        self._execution = backend.execution
        self._frames = frames
        self._address, tensor = self._execution.input(backend.facts.input.name)
        self._precision = kernel_precision(tensor)

    def _outputs(self, image: Image, see: InputFacts) -> dict[str, Floats]:
        execution = self._execution
        with execution.device.current(), span("detect"):
            with self._frames.frame(image, "detector", execution.stream) as frame:
                launch = frame_launch(frame, see, self._address, self._precision)
                execution.device.launch(launch, execution.stream)
            execution.run(1)
            return execution.results(1, 1)
