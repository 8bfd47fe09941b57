"""What a conversion takes and gives, whatever the kind of model."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass, field, replace
from math import isfinite
from pathlib import Path
from typing import Any

from fer_edge.engine.certainty import Certainty
from fer_edge.engine.errors import BadInput, OutputNotWritable
from fer_edge.engine.model import METADATA_KEY, FaceFrame, ModelFacts

from .precision import PRECISIONS, arithmetic_of
from .rewrite.editing import array_of

# Shows that a long step has begun: `with step("cutting the graph"): ...`
Step = Callable[[str], AbstractContextManager[None]]


@dataclass(frozen=True)
class Options:
    """What a user may choose.

    Attributes:
        precision: of weights and arithmetic, `fp32`, `fp16` or `int8`.
        calibrate: pictures by which int8 measures ranges; see `calibration_inputs`.
        labels: a name a class, or None for the default of the kind.
        top_k: boxes that a detector hands to suppression.
        score: what a face has to score unless asked otherwise; None for the family's.
        iou: overlap from which on the weaker of two boxes goes; None for the family's.
        input_range: pixel values 0 and 255 as an expression model expects them; None
            for what the model itself says, or else (-1, 1).
        order: of the seven expressions where nothing names them, a name of `orders.ORDERS`.
        colour: order of the channels that an expression model expects; None for RGB.
        mean, scale: the network sees `(pixel - mean) * scale`, a value for all channels or one a
            channel in its own order; in place of `input_range`.
        images: pictures of the user, in folders named by their expressions perhaps.
        input_size: (height, width) for models that leave it open.
        crop_scale: see `ExpressionFacts`.
        min_confidence: of an expression that is told; None for what the model itself says, or
            else 0.
        face_frame: see `DetectorFacts`; None for the family's.

    Raises:
        BadInput: a value outside its range.
    """

    precision: str = "fp32"
    calibrate: Path | None = None
    labels: tuple[str, ...] | None = None
    top_k: int = 200
    score: float | None = None
    iou: float | None = None
    input_range: tuple[float, float] | None = None
    order: str | None = None
    colour: str | None = None
    mean: tuple[float, ...] | None = None
    scale: tuple[float, ...] | None = None
    images: Path | None = None
    input_size: tuple[int, int] | None = None
    crop_scale: float | None = None
    min_confidence: float | None = None
    face_frame: FaceFrame | None = None

    def __post_init__(self) -> None:
        if self.precision not in PRECISIONS:
            raise BadInput(f"precision {self.precision!r}: choose {' or '.join(PRECISIONS)}")
        if (self.precision == "int8") != (self.calibrate is not None):
            raise BadInput("--precision int8 and --calibrate PICTURES go together; give both")
        if not 1 <= self.top_k <= 3840:
            raise BadInput(f"top-k {self.top_k}: TensorRT takes 1 to 3840")
        for name, share in (("score", self.score), ("iou", self.iou)):
            if share is not None and not 0 < share < 1:
                raise BadInput(f"{name} {share:g} is outside 0-1")
        low, high = self.input_range or (0.0, 1.0)
        if low == high or not (isfinite(low) and isfinite(high)):
            raise BadInput(f"input range {low:g},{high:g} is none; give it as --input-range=-1,1")
        self._check_faces()
        if self.input_size and not all(1 <= side <= 4096 for side in self.input_size):
            raise BadInput(f"input size {self.input_size[0]}x{self.input_size[1]}: take 1 to 4096")
        if self.crop_scale is not None and not 0.5 <= self.crop_scale <= 4:
            raise BadInput(f"crop scale {self.crop_scale:g} is outside 0.5-4")
        self.surer(Certainty())

    def _check_faces(self) -> None:
        if self.input_range and (self.mean or self.scale):
            raise BadInput("--input-range says what --mean and --scale say; give one of them")
        for name, values in (("mean", self.mean), ("scale", self.scale)):
            if values is not None and not (len(values) in (1, 3) and all(map(isfinite, values))):
                raise BadInput(f"--{name}: give one number, or three parted by commas")
        if self.scale is not None and 0 in self.scale:
            raise BadInput("--scale 0 leaves nothing of the picture")
        if self.order is not None and self.labels is not None:
            raise BadInput("--labels says what --order says; give one of them")

    def surer(self, certainty: Certainty) -> Certainty:
        """What a model says of its certainty, with the confidence that was asked for."""
        if self.min_confidence is None:
            return certainty
        return replace(certainty, least_confidence=self.min_confidence)


@dataclass(frozen=True)
class Conversion:
    """A converted network, not yet written.

    Attributes:
        model: an `onnx_ir.Model`.
        facts: what will travel with it.
        original: the network as it was, for the parity check; `FrozenSSD` or `KerasNetwork`.
        description: rows for the report, name to value.
        operators: how often each operator occurs, before and after the clean-up.
        notes: what a user should know.
    """

    model: Any
    facts: ModelFacts
    original: Any
    description: dict[str, str]
    operators: tuple[dict[str, int], dict[str, int]]
    notes: list[str] = field(default_factory=list)


def write(conversion: Conversion, path: Path) -> None:
    """Write the ONNX file, facts included, after a last look at it.

    Raises:
        BadInput: the network has not the precision that was asked for, or a shape that
            is not static.
        OutputNotWritable: no room left for it, or the like.
    """
    import onnx
    import onnx_ir as ir

    reached = arithmetic_of(conversion.model)
    if reached != conversion.facts.precision:
        raise BadInput(f"asked for {conversion.facts.precision}, the network has {reached}")
    _check_shapes(conversion.model.graph)
    conversion.model.metadata_props[METADATA_KEY] = conversion.facts.to_json()
    conversion.model.producer_name = "fer-edge"
    proto = ir.to_proto(conversion.model)
    onnx.checker.check_model(proto, full_check=True)
    try:
        onnx.save(proto, path)
    except OSError as error:
        raise OutputNotWritable(f"{path}: cannot be written ({error.strerror})") from error


def _check_shapes(graph: Any) -> None:
    """Every axis has a length, but for the batch where the input leaves it open."""
    free = sum(not isinstance(axis, int) for axis in graph.inputs[0].shape)
    for value in (output for node in graph for output in node.outputs):
        if value.shape is None:
            raise BadInput(f"the shape of {value.name!r} is only known at run time")
        # Behind a Reshape the open axis is another to shape inference, if the only one.
        if sum(not isinstance(axis, int) for axis in value.shape) > free:
            raise BadInput(f"the shape {value.shape} of {value.name!r} is only known at run time")


def parameters(model: Any) -> int:
    """Number of floating-point weights of an `onnx_ir.Model`."""
    arrays = (array_of(value) for value in model.graph.initializers.values())
    return sum(int(array.size) for array in arrays if array is not None and array.dtype.kind == "f")
