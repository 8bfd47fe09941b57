"""The detector on the GPU: a kernel makes its input, and the survivors come back in one copy."""

from __future__ import annotations

from collections.abc import Sequence

from ..backends.tensorrt import TensorRTBackend
from ..cuda.launch import frame_launch
from ..detector import Detector
from ..input_size import InputSizes
from ..model import InputFacts
from ..tensorrt.execution import Execution
from ..tracing import span
from ..types import Floats, Image
from .frames import FrameUploads, Stage
from .inputs import kernel_precision

# Of a frame that is looked at in two sizes.
LOOKS: tuple[Stage, Stage] = ("detector", "close-ups")


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
        self._engines = backend
        self._frames = frames

    def _outputs(self, image: Image, inputs: Sequence[InputFacts]) -> list[dict[str, Floats]]:
        # Engines come first: one that has to be built must not hold the frame.
        executions = [self._engines.execution(see) for see in inputs]
        with self._engines.gpu.current(), span("detect"):
            for execution, see, look in zip(executions, inputs, LOOKS[: len(inputs)], strict=True):
                self._queue(execution, image, see, look)
            return [execution.results(1, 1) for execution in executions]

    def _queue(self, execution: Execution, image: Image, see: InputFacts, look: Stage) -> None:
        """Let the network run as soon as the frame is there and its input made of it."""
        address, tensor = execution.input(see.name)
        with self._frames.frame(image, look, execution.stream) as frame:
            launch = frame_launch(frame, see, address, kernel_precision(tensor))
            execution.device.launch(launch, execution.stream)
        execution.run(1)
