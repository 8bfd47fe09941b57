"""A frozen SSD graph to a detector in ONNX."""

from __future__ import annotations

from pathlib import Path

from fer_edge.engine.errors import BadInput
from fer_edge.engine.model import DetectorFacts, ModelFacts, sha256_of

from .conversion import Conversion, Options, Step, parameters
from .facts import converter_version, detector_labels
from .frozen_ssd import FrozenSSD, read_graph, understand
from .head import BOXES, SCORES
from .precision import to_half
from .rewrite import clean_up, operators
from .ssd_body import INPUT, onnx_body
from .ssd_head import append_head
from .ssd_original import SSDOriginal

# Classes of published graphs that come without a label map, by the SHA-256 of the file.
KNOWN = {
    # The face graph of 2017: its second class is never found.
    "3761278cb03c81cb62642c455280f514e9f3c8c6d583ed04f800f10956f7086d": ("face", "class_2"),
}


def convert_detector(path: Path, options: Options, step: Step) -> Conversion:
    """Convert a frozen SSD graph of the Object Detection API.

    Raises:
        BadInput: see `read_graph`, `understand` and `onnx_body`.
    """
    import onnx_ir as ir

    with step("reading and checking the graph"):
        graph_def = read_graph(path)
    with step("finding body, anchors and box coding"):
        ssd = understand(graph_def, path)
    sha256 = sha256_of(path)
    try:
        labels, face_class = detector_labels(options.labels or KNOWN.get(sha256), ssd.classes)
    except BadInput as error:
        raise BadInput(f"{path}: {error}") from error
    with step("writing the body as ONNX"):
        try:
            model = ir.from_proto(onnx_body(ssd))
        except BadInput as error:
            raise BadInput(f"{path}: {error}") from error
    before = operators(model)
    with step("rewriting the graph"):
        model.graph.name = "ssd"
        model.graph.inputs[0].name = INPUT
        clean_up(model)
        if options.precision == "fp16":
            to_half(model)
        # Behind the change of precision: half has steps of a quarter pixel at 1024.
        append_head(model, ssd, options.top_k)
        clean_up(model)
    facts = ModelFacts(
        kind="detector",
        input=ssd.input,
        labels=labels,
        precision=options.precision,
        source_name=path.name,
        source_sha256=sha256,
        converter=converter_version(),
        detector=DetectorFacts(
            boxes_output=BOXES,
            scores_output=SCORES,
            face_class=face_class,
            score_threshold=ssd.score_threshold,
            iou_threshold=ssd.iou_threshold,
            max_detections=ssd.max_detections,
            default_score=options.score or DetectorFacts.default_score,
            face_frame=options.face_frame,
        ),
    )
    return Conversion(
        model=model,
        facts=facts,
        original=SSDOriginal(ssd),
        description={**_description(ssd, facts), "parameters": f"{parameters(model):,}"},
        operators=(dict(before), dict(operators(model))),
        notes=[f"of {len(labels)} classes, {labels[face_class]!r} is taken for the face"]
        if len(labels) > 1
        else [],
    )


def _description(ssd: FrozenSSD, facts: ModelFacts) -> dict[str, str]:
    see = facts.input
    coding = ", ".join(f"{scale:g}" for scale in ssd.box_scales)
    return {
        "network": "SSD detector, frozen graph of the TensorFlow Object Detection API",
        "input": f"{see.width}x{see.height} {see.colour}, {see.resize}, "
        f"(pixel - {see.mean[0]:g}) * {see.scale[0]:.6g}",
        "anchors": f"{len(ssd.anchors):,}, box coding {coding}",
        "classes": f"{', '.join(facts.labels)}; faces are "
        f"{facts.labels[facts.detector.face_class] if facts.detector else ''}",
        "suppression": f"IoU {ssd.iou_threshold:g}, score {ssd.score_threshold:g}, "
        f"at most {ssd.max_detections}",
    }
