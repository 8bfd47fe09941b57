"""ONNX face detectors as they are, run by ONNX Runtime and decoded in NumPy.

The oracle of the converted ones: it shares nothing with their heads or with the runtime's
preprocessing, and follows what the networks' authors published.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from fer_edge.engine.errors import BadInput, last_line
from fer_edge.engine.types import Detections, Floats, Image

from ..originals import Candidates

Doubles = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Decoded:
    """Predictions in pixels of the network's input.

    Attributes:
        boxes: float64 `(n, 4)`, x, y, width, height.
        scores: float64 `(n,)`.
        points: float64 `(n, 5, 2)`, x and y.
    """

    boxes: Doubles
    scores: Doubles
    points: Doubles


def decode_centerface(outputs: Sequence[Floats], height: int, width: int) -> Decoded:
    """Maps of heat, scale, offset and points at stride 4; a face is a peak of the heat map."""
    by_channels = sorted(outputs, key=lambda output: output.shape[1])
    heat, scale, offset, points = (np.asarray(output[0], np.float64) for output in by_channels)
    row, column = np.mgrid[: height // 4, : width // 4]
    h, w = np.exp(scale[0]) * 4, np.exp(scale[1]) * 4
    y, x = (row + offset[0] + 0.5) * 4 - h / 2, (column + offset[1] + 0.5) * 4 - w / 2
    places = [
        np.stack([points[2 * i + 1] * w + x, points[2 * i] * h + y], axis=-1) for i in range(5)
    ]
    padded = np.pad(heat[0], 1, constant_values=-1)
    shifts = [(dy, dx) for dy in range(3) for dx in range(3)]
    around = [padded[dy : dy + len(row), dx : dx + row.shape[1]] for dy, dx in shifts]
    peak = heat[0] >= np.max(around, axis=0)
    boxes = np.stack([x, y, w, h], axis=-1).reshape(-1, 4)
    return Decoded(boxes, (heat[0] * peak).ravel(), np.stack(places, axis=-2).reshape(-1, 5, 2))


def decode_yunet(outputs: Sequence[Floats], height: int, width: int) -> Decoded:
    """Two probabilities, a box and points a cell at strides 8, 16 and 32 (as OpenCV decodes)."""
    parts = []
    for stride in (8, 16, 32):
        rows, columns = height // stride, width // stride
        here: dict[int, list[Doubles]] = {}
        for output in outputs:
            flat = _by_cell(output)
            if len(flat) == rows * columns:
                here.setdefault(flat.shape[1], []).append(flat)
        first, second = (scores[:, 0] for scores in here[1])
        (box,), (kps,) = here[4], here[10]
        row, column = (axis.ravel() for axis in np.mgrid[:rows, :columns])
        corner = np.stack([column, row], axis=1)
        size = np.exp(box[:, 2:]) * stride
        centre = (box[:, :2] + corner) * stride
        places = (kps.reshape(-1, 5, 2) + corner[:, None]) * stride
        boxes = np.concatenate([centre - size / 2, size], axis=1)
        scores = np.sqrt(np.clip(first, 0, 1) * np.clip(second, 0, 1))
        parts.append((boxes, scores, places))
    return Decoded(*(np.concatenate(each) for each in zip(*parts, strict=True)))


def decode_retinaface(outputs: Sequence[Floats], height: int, width: int) -> Decoded:
    """A box, two classes and points a prior, variances 0.1 and 0.2 (biubug6's PriorBox)."""
    by_width = {output.shape[2]: np.asarray(output[0], np.float64) for output in outputs}
    loc, conf, landms = by_width[4], by_width[2], by_width[10]
    priors = np.array(
        [
            ((x + 0.5) * step / width, (y + 0.5) * step / height, side / width, side / height)
            for step, sides in ((8, (16, 32)), (16, (64, 128)), (32, (256, 512)))
            for y in range(height // step)
            for x in range(width // step)
            for side in sides
        ]
    )
    centre, size = priors[:, :2], priors[:, 2:]
    middle = centre + loc[:, :2] * 0.1 * size
    extent = size * np.exp(loc[:, 2:] * 0.2)
    places = centre[:, None] + landms.reshape(-1, 5, 2) * 0.1 * size[:, None]
    if (conf < 0).any() or np.abs(conf.sum(axis=1) - 1).max() > 1e-3:
        # Exported without its softmax.
        conf = np.exp(conf - conf.max(axis=1, keepdims=True))
        conf /= conf.sum(axis=1, keepdims=True)
    pixels = np.array([width, height])
    boxes = np.concatenate([(middle - extent / 2) * pixels, extent * pixels], axis=1)
    return Decoded(boxes, conf[:, 1], places * pixels)


def _by_cell(output: Floats) -> Doubles:
    """A map `(1, c, h, w)` or rows `(1, n, c)` as float64 `(n, c)`."""
    array = np.asarray(output[0], np.float64)
    return array if array.ndim == 2 else array.reshape(len(array), -1).T


@dataclass(frozen=True)
class Published:
    """How a family is fed and decoded, by its authors."""

    decode: Callable[[Sequence[Floats], int, int], Decoded]
    rgb: bool = False
    mean: tuple[float, float, float] = (0.0, 0.0, 0.0)


PUBLISHED = {
    "CenterFace": Published(decode_centerface, rgb=True),
    "YuNet": Published(decode_yunet),
    "RetinaFace": Published(decode_retinaface, mean=(104.0, 117.0, 123.0)),
}


@dataclass(frozen=True)
class OnnxOriginal:
    """An ONNX face detector; see `originals.OriginalDetector`.

    Attributes:
        proto: `onnx.ModelProto` as it was in the file.
        family: name of its family.
        size: (height, width) at which it shall run.
        iou: overlap from which on the weaker of two boxes goes.
    """

    proto: Any
    family: str
    size: tuple[int, int]
    iou: float

    @contextmanager
    def opened(self) -> Iterator[OpenOnnx]:
        """Load it into a session."""
        yield OpenOnnx(self, open_session(self.proto, self.size))

    def runs(self) -> bool:
        """Whether it can be run at this size at all."""
        picture = np.zeros((*self.size, 3), np.uint8)
        try:
            with self.opened() as original:
                original.candidates(picture)
        except (BadInput, KeyError, ValueError):
            return False
        return True


@dataclass(frozen=True)
class OpenOnnx:
    """An ONNX face detector in a session; see `originals.OpenOriginal`."""

    original: OnnxOriginal
    session: Any

    def candidates(self, image: Image) -> Candidates:
        """Everything it predicts."""
        decoded, _ = self._decoded(image)
        height, width = self.original.size
        x, y, w, h = decoded.boxes.T
        corners = np.stack([y / height, x / width, (y + h) / height, (x + w) / width], axis=1)
        return Candidates(corners.astype(np.float32), decoded.scores.astype(np.float32))

    def detections(self, image: Image, least_score: float) -> list[Detections]:
        """What greedy suppression leaves, clipped to the picture."""
        decoded, scale = self._decoded(image)
        boxes = decoded.boxes / np.tile(scale, 2)
        limits = np.array(image.shape[1::-1])
        low = np.clip(boxes[:, :2], 0, limits)
        high = np.clip(boxes[:, :2] + boxes[:, 2:], 0, limits)
        likely = (decoded.scores >= least_score) & ((high - low) > 0).all(axis=1)
        chosen = np.flatnonzero(likely)
        kept = chosen[_suppressed(boxes[chosen], decoded.scores[chosen], self.original.iou)]
        inside = np.concatenate([low, high - low], axis=1)
        parts = (inside, decoded.scores, decoded.points / scale)
        return [Detections(*(part[kept].astype(np.float32) for part in parts))]

    def _decoded(self, image: Image) -> tuple[Decoded, Doubles]:
        """Predictions, and how many pixels of the input one of the picture takes, `(2,)`."""
        published = PUBLISHED[self.original.family]
        height, width = self.original.size
        scale = min(width / image.shape[1], height / image.shape[0])
        across, down = max(1, round(image.shape[1] * scale)), max(1, round(image.shape[0] * scale))
        how = cv2.INTER_AREA if scale <= 1 else cv2.INTER_LINEAR
        picture = np.zeros((height, width, 3), np.float32)
        picture[:down, :across] = cv2.resize(
            image.astype(np.float32), (across, down), interpolation=how
        )
        if published.rgb:
            picture = picture[..., ::-1]
        picture = picture - np.array(published.mean, np.float32)
        name = self.session.get_inputs()[0].name
        try:
            outputs = self.session.run(None, {name: picture.transpose(2, 0, 1)[None].copy()})
        except Exception as error:  # ONNX Runtime's exceptions share no base class
            reason = last_line(error)
            raise BadInput(f"the network does not run at {width}x{height} ({reason})") from error
        taken = np.array([across / image.shape[1], down / image.shape[0]])
        return published.decode(outputs, height, width), taken


def open_session(proto: Any, size: tuple[int, int]) -> Any:
    """The network in ONNX Runtime, for one picture of (height, width); nothing else is changed.

    Raises:
        BadInput: it cannot be loaded.
    """
    import onnx
    import onnxruntime

    copy = onnx.ModelProto()
    copy.CopyFrom(proto)
    weights = {tensor.name for tensor in copy.graph.initializer}
    (picture,) = (value for value in copy.graph.input if value.name not in weights)
    for dimension, length in zip(picture.type.tensor_type.shape.dim, (1, 3, *size), strict=True):
        dimension.dim_value = length
    # What the file says of other shapes is of another size.
    del copy.graph.value_info[:]
    for value in copy.graph.output:
        value.type.tensor_type.ClearField("shape")
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_BASIC
    try:
        return onnxruntime.InferenceSession(
            copy.SerializeToString(), options, providers=["CPUExecutionProvider"]
        )
    except Exception as error:  # ONNX Runtime's exceptions share no base class
        reason = last_line(error)
        raise BadInput(f"ONNX Runtime cannot load it ({reason})") from error


def _suppressed(boxes: Doubles, scores: Doubles, iou: float) -> list[int]:
    """Greedy suppression, best first: rows that are kept."""
    low, high = boxes[:, :2], boxes[:, :2] + boxes[:, 2:]
    area = boxes[:, 2:].prod(axis=1)
    kept: list[int] = []
    for row in np.argsort(-scores, kind="stable").tolist():
        common = np.minimum(high[kept], high[row]) - np.maximum(low[kept], low[row])
        both = np.clip(common, 0, None).prod(axis=1)
        if not (both > iou * (area[kept] + area[row] - both)).any():
            kept.append(row)
    return kept
