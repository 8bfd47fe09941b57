"""An ONNX face detector of a known family to one of ours."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import onnx_ir as ir

from fer_edge.engine.errors import BadInput
from fer_edge.engine.model import LEAST_SIDE, DetectorFacts, InputFacts, ModelFacts, sha256_of

from ..conversion import Conversion, Options, Step, parameters
from ..facts import converter_version, detector_labels
from ..head import BOXES, LANDMARKS, SCORES
from ..precision import to_half
from ..rewrite import clean_up, operators, peel_input_scaling
from .family import Facts
from .original import OnnxOriginal
from .reading import at_our_opset, read_onnx
from .recognise import recognise
from .structure import INPUT, STEP, open_body, outputs_of, size_of

# (height, width) of the input unless asked otherwise: faces of a twentieth of a 4:3 frame's
# height are found then, and larger ones.
DEFAULT_SIZE = (256, 320)
# A floor: the runtime asks for more, and average precision is measured from here on.
SCORE_THRESHOLD = 0.02
_RESERVED = frozenset({INPUT, BOXES, SCORES, LANDMARKS})


def convert_onnx_detector(path: Path, options: Options, step: Step) -> Conversion:
    """Convert an ONNX face detector: CenterFace, YuNet or RetinaFace with priors.

    Raises:
        BadInput: see `read_onnx`, `open_body` and `recognise`.
        UnsafeModel: see `read_onnx`.
    """
    with step("reading and checking the network"):
        proto = read_onnx(path)
    try:
        return _converted(proto, path, options, step)
    except BadInput as error:
        raise BadInput(f"{path}: {error}") from error


def _converted(proto: Any, path: Path, options: Options, step: Step) -> Conversion:
    before = operators(ir.from_proto(proto))
    with step("finding out what its outputs mean"):
        model = open_body(at_our_opset(proto))
        family = recognise(outputs_of(model))
    original = _original(proto, family.facts, options)
    with step("rewriting the graph"):
        graph = model.graph
        graph.name = family.facts.name.lower()
        mean, scale = _scaling(family.facts, model)
        top_k = min(options.top_k, family.capacity(LEAST_SIDE, LEAST_SIDE))
        _end_with(graph, family.outputs(graph))
        clean_up(model)
        if options.precision == "fp16":
            to_half(model)
        # Behind the change of precision: half has steps of a quarter pixel at 1024.
        family.append_head(graph, list(graph.outputs), top_k)
        clean_up(model)
    height, width = original.size
    see = InputFacts(
        name=INPUT,
        height=height,
        width=width,
        colour=family.facts.colour,
        resize="letterbox",
        mean=mean,
        scale=scale,
        step=STEP,
    )
    labels, face_class = detector_labels(options.labels, 1)
    facts = ModelFacts(
        kind="detector",
        input=see,
        labels=labels,
        precision=options.precision,
        source_name=path.name,
        source_sha256=sha256_of(path),
        converter=converter_version(),
        detector=DetectorFacts(
            boxes_output=BOXES,
            scores_output=SCORES,
            face_class=face_class,
            score_threshold=SCORE_THRESHOLD,
            iou_threshold=original.iou,
            max_detections=top_k,
            default_score=options.score or family.facts.default_score,
            landmarks_output=LANDMARKS,
            least_face=family.facts.least_face,
            largest_face=family.facts.largest_face,
            large_face=family.facts.large_face,
            large_face_score=family.facts.large_face_score,
            face_frame=options.face_frame or family.facts.face_frame,
        ),
    )
    return Conversion(
        model=model,
        facts=facts,
        original=original,
        description={**_description(family.facts, facts), "parameters": f"{parameters(model):,}"},
        operators=(dict(before), dict(operators(model))),
    )


def _end_with(graph: Any, maps: list[Any]) -> None:
    """Make `maps` the outputs, and free the names that the head will give."""
    graph.outputs.clear()
    graph.outputs.extend(maps)
    for value in [*graph.initializers.values(), *(v for node in graph for v in node.outputs)]:
        if value.name in _RESERVED:
            value.name = f"{value.name}_of_body"


def _original(proto: Any, known: Facts, options: Options) -> OnnxOriginal:
    """The network as it is, at the size that is asked for, or the only one at which it runs."""
    iou = options.iou or known.iou_threshold
    height, width = options.input_size or DEFAULT_SIZE
    if height % STEP or width % STEP or min(height, width) < LEAST_SIDE:
        raise BadInput(f"input size {height}x{width}: give steps of {STEP} from {LEAST_SIDE} on")
    wanted = OnnxOriginal(proto, known.name, (height, width), iou)
    if wanted.runs():
        return wanted
    own = size_of(proto)
    if own is None or options.input_size not in (None, own):
        raise BadInput(f"the original does not run at {height}x{width}")
    return replace(wanted, size=own)


def _scaling(known: Facts, model: Any) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Mean and scale: the family's, and what the graph begins with on top of them."""
    peeled = peel_input_scaling(model.graph, 3)
    if peeled is None:
        return known.mean, (1.0, 1.0, 1.0)
    mean, scale = peeled
    return tuple(a + b for a, b in zip(known.mean, mean, strict=True)), tuple(scale)


def _description(known: Facts, facts: ModelFacts) -> dict[str, str]:
    see, detector = facts.input, facts.detector
    assert detector is not None
    mean = ", ".join(f"{value:g}" for value in see.mean)
    return {
        "network": f"{known.name}, ONNX",
        "input": f"{see.width}x{see.height} or any other in steps of {see.step} pixels, "
        f"{see.colour}, {see.resize}, mean {mean}",
        "suppression": f"IoU {detector.iou_threshold:g}, a face from score "
        f"{detector.default_score:g} on, at most {detector.max_detections}",
    }
