"""The facts a converted model carries, and how they are read.

A runtime never guesses how a network wants its input: the converter writes it into
the model file (ONNX `metadata_props`, key `fer_edge`) as one JSON object, and this
module reads it back without any ONNX library. Design rule: whatever would change a
single output number belongs here.
"""

from __future__ import annotations

import hashlib
import json
import mmap
from collections.abc import Iterator
from dataclasses import asdict, dataclass, fields, replace
from pathlib import Path
from typing import Any, Literal, get_args

from .errors import BadInput, InputNotFound
from .misnamed import foreign, original

METADATA_KEY = "fer_edge"
SCHEMA = 1
MAX_MODEL_BYTES = 2 << 30

Kind = Literal["detector", "expression"]
Colour = Literal["rgb", "bgr", "gray"]
Resize = Literal["tf1_bilinear", "half_pixel_bilinear", "area", "letterbox"]
# The least side of an input whose size may be chosen: enough cells for any top-k.
LEAST_SIDE = 128
# Sides of faces that a model may ask for: no frame is larger.
MAX_FACE = 16384
_CHANNELS = {"rgb": 3, "bgr": 3, "gray": 1}

# What people would call a face, and the label of the data set's author.
HEADS = ("votes", "label")

FER2013_LABELS = ("angry", "disgust", "fear", "happy", "sad", "surprise", "neutral")


@dataclass(frozen=True)
class InputFacts:
    """What the network's one input expects: float32 `(n, channels, height, width)`.

    Attributes:
        name: of the input tensor.
        height, width: in pixels.
        colour: order of the channels; `gray` is one channel (ITU-R BT.601 luma).
        resize: `tf1_bilinear` samples at `dst * scale` without a half-pixel shift and
            ignores the aspect ratio (TensorFlow 1's ResizeBilinear);
            `half_pixel_bilinear` is the same with pixel centres aligned;
            `area` averages when shrinking and is bilinear when enlarging;
            `letterbox` is `area` with the aspect ratio kept: the picture fills the input's
            upper left corner as far as it goes, and the rest is black (0).
        mean, scale: a value a channel; the network sees `(pixel - mean) * scale`,
            with pixel in 0-255.
        step: 0 for a network of this size only; else height and width may be any multiples
            of `step` from `LEAST_SIDE` on, and the file leaves both axes open.
    """

    name: str
    height: int
    width: int
    colour: Colour
    resize: Resize
    mean: tuple[float, ...]
    scale: tuple[float, ...]
    step: int = 0

    def __post_init__(self) -> None:
        channels = _CHANNELS.get(self.colour)
        if channels is None:
            raise BadInput(f"colour {self.colour!r} is not one of {', '.join(_CHANNELS)}")
        if self.resize not in get_args(Resize):
            raise BadInput(f"resize rule {self.resize!r} is unknown")
        if not (1 <= self.height <= 4096 and 1 <= self.width <= 4096):
            raise BadInput(f"input size {self.width}x{self.height} is outside 1-4096 pixels")
        if len(self.mean) != channels or len(self.scale) != channels:
            raise BadInput(f"{self.colour} input needs {channels} mean and scale values")
        if self.step and (self.height % self.step or self.width % self.step):
            raise BadInput(
                f"input size {self.width}x{self.height} is not in steps of {self.step} pixels"
            )

    def of_size(self, width: int, height: int) -> InputFacts:
        """The same input in another size.

        Raises:
            BadInput: a size that the network does not take.
        """
        if (width, height) == (self.width, self.height):
            return self
        if not self.step:
            raise BadInput(
                f"input size {width}x{height}: the network takes {self.width}x{self.height} only"
            )
        if min(width, height) < LEAST_SIDE:
            raise BadInput(f"input size {width}x{height}: give sides of {LEAST_SIDE} or more")
        return replace(self, width=width, height=height)

    @property
    def channels(self) -> int:
        """1 for gray, 3 for colour."""
        return _CHANNELS[self.colour]


@dataclass(frozen=True)
class FaceFrame:
    """How a detector's box lies on a picture of a face that is framed as FER2013's are.

    Medians over many faces, in sides of the picture, which is square.

    Attributes:
        width, height: of the box.
        right, down: from the picture's middle to the box's.

    Raises:
        BadInput: no box of a face.
    """

    width: float
    height: float
    right: float = 0.0
    down: float = 0.0

    def __post_init__(self) -> None:
        if not (0.2 <= self.width <= 5 and 0.2 <= self.height <= 5):
            raise BadInput(f"face frame {self}: give a width and a height of 0.2 to 5")
        if not (abs(self.right) <= 1 and abs(self.down) <= 1):
            raise BadInput(f"face frame {self}: the middles are more than a picture apart")

    @classmethod
    def parse(cls, text: str) -> FaceFrame:
        """Read `W,H,X,Y`, as `str` writes it.

        Raises:
            BadInput: anything else.
        """
        try:
            width, height, right, down = (float(value) for value in text.split(","))
        except ValueError:
            raise BadInput(f"face frame {text!r}: give it as 0.8,0.93,0,0.02") from None
        return cls(width, height, right, down)

    def __str__(self) -> str:
        return f"{self.width:g},{self.height:g},{self.right:g},{self.down:g}"


@dataclass(frozen=True)
class DetectorFacts:
    """What the host does with a detector's survivors.

    Attributes:
        boxes_output: name of float32 `(1, k, 4)`, normalised (ymin, xmin, ymax, xmax),
            not clipped.
        scores_output: name of float32 `(1, k, classes)`, 0-1, without background.
        face_class: column of the scores that is a face.
        score_threshold, iou_threshold, max_detections: the graph's own for NMS.
        default_score: what a face has to score unless asked otherwise, 0-1.
        landmarks_output: name of float32 `(1, k, 5, 2)`, normalised (x, y), in the order of
            `Detections.landmarks`; None without.
        least_face, largest_face: side of a face in pixels of the input, from and up to which
            the network finds it; 0 where it is not known.
        large_face, large_face_score: from this side on, in pixels of the input, a face is sure
            with less: a score of `large_face_score` means what `default_score` means for
            smaller ones. 0 where all sizes are alike.
        face_frame: how its boxes lie on the pictures that expression models learn from; None
            where nobody measured it.
    """

    boxes_output: str
    scores_output: str
    face_class: int
    score_threshold: float
    iou_threshold: float
    max_detections: int
    default_score: float = 0.5
    landmarks_output: str | None = None
    least_face: float = 0.0
    largest_face: float = 0.0
    large_face: float = 0.0
    large_face_score: float = 0.0
    face_frame: FaceFrame | None = None

    def __post_init__(self) -> None:
        if self.large_face and not 0 < self.large_face_score < 1:
            raise BadInput(f"score of a large face {self.large_face_score:g} is outside 0-1")


@dataclass(frozen=True)
class ExpressionFacts:
    """How faces are cut out for an expression model.

    Attributes:
        probabilities_output: name of float32 `(n, classes)`, rows summing to 1.
        crop_scale: side of the square crop over the longer side of the face box; None for a
            model that learned from faces framed as FER2013's, where `DetectorFacts.face_frame`
            says what to cut, and else `crops.DEFAULT_SCALE`.
        label_output: name of float32 `(n, classes)` of a second head, which names the label
            that a data set's author gave where the first says what people call the face; None
            without. It is used where it is asked for only, and engines leave it out.
        least_confidence: below it an answer is not told, 0-1; see `certainty.Certainty`.
        least_face: longer side in pixels of the smallest face that the model can read.
        most_yaw, most_pitch: how far a head may be turned, in degrees; 90 where it is not known.
    """

    probabilities_output: str
    crop_scale: float | None = None
    label_output: str | None = None
    least_confidence: float = 0.0
    least_face: float = 0.0
    most_yaw: float = 90.0
    most_pitch: float = 90.0

    def __post_init__(self) -> None:
        if not 0 <= self.least_confidence <= 1:
            raise BadInput(f"least confidence {self.least_confidence:g} is outside 0-1")
        if not 0 <= self.least_face <= MAX_FACE:
            raise BadInput(f"least face {self.least_face:g} is outside 0-{MAX_FACE} pixels")
        for angle in (self.most_yaw, self.most_pitch):
            if not 0 <= angle <= 90:
                raise BadInput(f"pose of {angle:g} is outside 0-90 degrees")

    def output_of(self, head: str, name: str) -> str:
        """The output of a head: `votes`, or `label` where there is one.

        Args:
            head: a name of `HEADS`.
            name: of the model, for the error.

        Raises:
            BadInput: no such head.
        """
        if head == "votes":
            return self.probabilities_output
        if head != "label" or self.label_output is None:
            raise BadInput(
                f"{name}: has no head {head!r}, and engines never have one for the label; "
                "leave --head out"
            )
        return self.label_output


@dataclass(frozen=True)
class ModelFacts:
    """Everything the runtime knows about a converted model.

    Attributes:
        kind: what the model does.
        input: how it wants its input.
        labels: a name a class, in the order of the output.
        precision: of weights and arithmetic, `fp32` or `fp16`.
        source_name, source_sha256: the original file.
        converter: version of fer-edge that wrote the model.
        detector, expression: the facts of that kind; the other is None.
    """

    kind: Kind
    input: InputFacts
    labels: tuple[str, ...]
    precision: str
    source_name: str
    source_sha256: str
    converter: str
    detector: DetectorFacts | None = None
    expression: ExpressionFacts | None = None

    def __post_init__(self) -> None:
        if self.kind not in ("detector", "expression") or getattr(self, self.kind) is None:
            raise BadInput(f"model of kind {self.kind!r} lacks the facts of that kind")
        if len(set(self.labels)) != len(self.labels) or not self.labels:
            raise BadInput(f"labels must be distinct and at least one: {', '.join(self.labels)}")
        if self.detector and not 0 <= self.detector.face_class < len(self.labels):
            raise BadInput(f"face class {self.detector.face_class} is not one of the labels")

    def without_label_head(self) -> ModelFacts:
        """The facts of what an engine has of the model."""
        if self.expression is None:
            return self
        return replace(self, expression=replace(self.expression, label_output=None))

    def to_json(self) -> str:
        """One JSON object, the value stored under `METADATA_KEY`."""
        return json.dumps({"schema": SCHEMA, **asdict(self)}, sort_keys=True)

    @classmethod
    def from_json(cls, text: str, origin: str = "model") -> ModelFacts:
        """Read what `to_json` wrote; `origin` names the file in errors.

        Raises:
            BadInput: not our JSON, another schema, or values that make no sense.
        """
        try:
            raw = json.loads(text)
            schema = raw.pop("schema")
            if schema != SCHEMA:
                raise BadInput(f"facts have schema {schema}, this version reads {SCHEMA}")
            return cls(
                **{
                    **raw,
                    "labels": tuple(raw["labels"]),
                    "input": _input_facts(raw["input"]),
                    "detector": _build(DetectorFacts, _detector_facts(raw.get("detector"))),
                    "expression": _build(ExpressionFacts, raw.get("expression")),
                }
            )
        except (BadInput, ValueError, KeyError, TypeError, AttributeError) as error:
            raise BadInput(
                f"{origin}: unusable model facts ({error}); convert it again with fer-convert"
            ) from error


def _input_facts(raw: dict[str, Any]) -> InputFacts:
    return InputFacts(**{**raw, "mean": tuple(raw["mean"]), "scale": tuple(raw["scale"])})


def _detector_facts(raw: dict[str, Any] | None) -> dict[str, Any] | None:
    if raw is None or raw.get("face_frame") is None:
        return raw
    return {**raw, "face_frame": _build(FaceFrame, raw["face_frame"])}


def _build(cls: type[Any], raw: dict[str, Any] | None) -> Any:
    if raw is None:
        return None
    unknown = raw.keys() - {field.name for field in fields(cls)}
    if unknown:
        raise BadInput(f"unknown {cls.__name__} {', '.join(sorted(unknown))}")
    return cls(**raw)


def read_facts(path: Path) -> ModelFacts:
    """Read the facts of an ONNX file.

    Raises:
        InputNotFound: no file at `path`.
        BadInput: not an ONNX file, or one that fer-convert did not write.
    """
    if (other := foreign(path)) is not None:
        raise BadInput(f"{path}: {other}")
    if path.is_dir():
        raise BadInput(f"{path}: is a folder; give the model file itself")
    if not path.is_file():
        raise InputNotFound(f"{path}: no such model file")
    size = path.stat().st_size
    if not 0 < size <= MAX_MODEL_BYTES:
        raise BadInput(f"{path}: {size} bytes is no model; expected an ONNX file of fer-convert")
    try:
        with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
            properties = _metadata(data)
    except (ValueError, IndexError, UnicodeDecodeError) as error:
        what = original(path) or f"not an ONNX file ({error})"
        raise BadInput(f"{path}: {what}; make an ONNX file with fer-convert") from error
    if METADATA_KEY not in properties:
        raise BadInput(
            f"{path}: an ONNX file without fer-edge facts; convert the original with fer-convert"
        )
    return ModelFacts.from_json(properties[METADATA_KEY], str(path))


def sha256_of(path: Path) -> str:
    """SHA-256 of a file, in hexadecimal digits."""
    with path.open("rb") as file:
        digest = hashlib.sha256()
        while part := file.read(1 << 20):
            digest.update(part)
    return digest.hexdigest()


# ModelProto.metadata_props is field 14, a repeated StringStringEntryProto whose
# fields 1 and 2 are key and value (onnx.proto). Reading just that spares the runtime
# the onnx package, and skips the weights without loading them.
_GRAPH, _METADATA_PROPS, _KEY, _VALUE = 7, 14, 1, 2
_KNOWN_MODEL_FIELDS = frozenset({1, 2, 3, 4, 5, 6, 7, 8, 14, 20, 25, 26})


def _metadata(data: mmap.mmap) -> dict[str, str]:
    properties, seen = {}, set()
    for number, start, end in _messages(data, 0, len(data)):
        if number not in _KNOWN_MODEL_FIELDS:
            raise ValueError(f"field {number} is not of an ONNX model")
        if number == _METADATA_PROPS:
            entry = {n: data[s:e].decode() for n, s, e in _messages(data, start, end)}
            properties[entry.get(_KEY, "")] = entry.get(_VALUE, "")
        seen.add(number)
    if _GRAPH not in seen:
        raise ValueError("no graph in it")
    return properties


def _messages(data: mmap.mmap, at: int, end: int) -> Iterator[tuple[int, int, int]]:
    """Yield (field number, start, end) of the protobuf fields in `data[at:end]`."""
    while at < end:
        tag, at = _varint(data, at)
        number, wire_type = tag >> 3, tag & 7
        if wire_type == 0:
            start = at
            _, at = _varint(data, at)
        elif wire_type == 2:
            length, start = _varint(data, at)
            at = start + length
        elif wire_type in (1, 5):
            start = at
            at += 8 if wire_type == 1 else 4
        else:
            raise ValueError(f"wire type {wire_type} at byte {at}")
        if at > end or number == 0:
            raise ValueError(f"cut off or malformed at byte {start}")
        yield number, start, at


def _varint(data: mmap.mmap, at: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        byte = data[at]
        at += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value, at
        shift += 7
        if shift > 63:
            raise ValueError(f"overlong number at byte {at}")
