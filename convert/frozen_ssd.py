"""A frozen SSD graph of the TensorFlow Object Detection API: what it is and where to cut it.

Names and layouts of these exports changed from year to year, the arithmetic did not.
So the graph is taken apart by its edges, and what its pieces do is then found out by
running them: constant pictures tell size, scaling and channel order, encodings of
zeros give the anchors, encodings of ones the box coding.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from fer_edge.engine.errors import BadInput, first_line
from fer_edge.engine.model import InputFacts, Resize

from .graph import CONVOLUTIONS, GraphIndex
from .safety import check_graph
from .tensorflow import import_tensorflow

Floats = npt.NDArray[np.float32]
# The API's own names of what an export takes and gives; they never changed.
OUTPUTS = ("detection_boxes", "detection_scores", "detection_classes", "num_detections")
_BATCH_NORMALISATION = frozenset({"FusedBatchNorm", "FusedBatchNormV2", "FusedBatchNormV3"})


@dataclass(frozen=True)
class Cut:
    """Where the network body begins and ends, as tensor names of the graph.

    Attributes:
        image: the placeholder a user feeds.
        body_input: resized and scaled picture, float32 `(1, h, w, 3)`.
        encodings: all box encodings, float32 `(1, n, 4)` or `(1, n, 1, 4)`.
        logits: all class logits, float32 `(1, n, classes [+ background])`.
        score_input, score_output: around the sigmoid or softmax.
        score_function: `Sigmoid` or `Softmax`.
        decoded: corners of all boxes, `(4, n)` or `(n, 4)`.
    """

    image: str
    body_input: str
    encodings: str
    logits: str
    score_input: str
    score_output: str
    score_function: str
    decoded: str


@dataclass(frozen=True)
class FrozenSSD:
    """A frozen SSD graph, understood.

    Attributes:
        graph_def: the whole graph.
        cut: where its body is.
        input: what the body expects.
        anchors: float32 `(n, 4)`, centre y, centre x, height, width, normalised.
        box_scales: of the encodings (y, x, h, w), as 10, 10, 5, 5.
        logit_scale: factor before the score function.
        classes: without background.
        background: whether column 0 of the scores is background.
        score_threshold, iou_threshold, max_detections: of the graph's suppression.
        batch_norms: unfolded batch normalisations in the graph, for the report.
    """

    graph_def: Any
    cut: Cut
    input: InputFacts
    anchors: Floats
    box_scales: tuple[float, float, float, float]
    logit_scale: float
    classes: int
    background: bool
    score_threshold: float
    iou_threshold: float
    max_detections: int
    batch_norms: int


def read_graph(path: Path) -> Any:
    """Read a GraphDef whose every operator is on the allow-list.

    Raises:
        BadInput: not a GraphDef, or cut off.
        UnsafeModel: an operator that has no place in a detector.
    """
    tf = import_tensorflow()
    graph_def = tf.compat.v1.GraphDef()
    try:
        graph_def.ParseFromString(path.read_bytes())
    except Exception as error:  # protobuf's DecodeError has moved between versions
        raise BadInput(
            f"{path}: not a frozen TensorFlow graph, or cut off; "
            "expected the frozen_inference_graph.pb of an export"
        ) from error
    if not graph_def.node:
        raise BadInput(f"{path}: an empty graph; expected a frozen_inference_graph.pb")
    check_graph(graph_def, path)
    _free_size(graph_def)
    names = {node.name for node in graph_def.node}
    for node in graph_def.node:
        for source in GraphIndex.inputs(node):
            if source not in names:
                raise BadInput(f"{path}: cut off: {node.name!r} takes {source!r}, which is missing")
    return graph_def


def _free_size(graph_def: Any) -> None:
    """Let placeholders of a fixed size, as `[1,300,300,3]`, take pictures of any.

    What stands behind them resizes to the network's own size all the same.
    """
    for node in graph_def.node:
        if node.op == "Placeholder" and len(node.attr["shape"].shape.dim) == 4:
            for axis in node.attr["shape"].shape.dim[:3]:
                axis.size = -1
            node.attr.pop("_output_shapes", None)


def understand(graph_def: Any, path: Path) -> FrozenSSD:
    """Take an SSD graph apart.

    Args:
        graph_def: of `read_graph`.
        path: for errors.

    Raises:
        BadInput: the graph is no SSD of the Object Detection API, or one whose
            preprocessing the runtime does not have.
    """
    try:
        index = GraphIndex(graph_def)
        cut = find_cut(index)
        return _probe(graph_def, index, cut)
    except BadInput as error:
        raise BadInput(f"{path}: {error}") from error


def find_cut(index: GraphIndex) -> Cut:
    """Find the body of an SSD by its edges.

    Raises:
        BadInput: something an SSD has is missing.
    """
    convolutions = {node.name for node in index.of_type(*CONVOLUTIONS)}
    if not convolutions:
        raise BadInput("a graph without convolutions, no SSD detector")
    for name in OUTPUTS:
        if name not in index.nodes:
            raise BadInput(f"no output {name!r}; expected an export of the Object Detection API")
    after = index.descendants(convolutions)
    before = index.ancestors(convolutions)
    heads = {name for name in after if name not in before and name not in convolutions}
    scores = [n for n in index.of_type("Sigmoid", "Softmax") if n.name in heads]
    if not scores:
        raise BadInput(
            "scores without a sigmoid or softmax, as score_converter IDENTITY exports them: export "
            "it with score_converter: SIGMOID in its pipeline.config"
        )
    score = _only(scores, "score op")
    exponentials = [node.name for node in index.of_type("Exp") if node.name in heads]
    if len(exponentials) != 2:
        raise BadInput(f"{len(exponentials)} Exp in box decoding, expected height and width")
    within = after | convolutions
    return Cut(
        image=_only(_images(index, before), "image placeholder").name + ":0",
        body_input=_body_input(index, convolutions, before),
        encodings=_concatenation(index, exponentials[0], within) + ":0",
        logits=_concatenation(index, score.name, within) + ":0",
        score_input=score.input[0] if ":" in score.input[0] else score.input[0] + ":0",
        score_output=score.name + ":0",
        score_function=score.op,
        decoded=_meeting_point(index, exponentials) + ":0",
    )


def _images(index: GraphIndex, before: set[str]) -> Iterable[Any]:
    fed = [n for n in index.of_type("Placeholder", "PlaceholderWithDefault") if n.name in before]
    # Beside a picture, defaults are those of settings, as whether it is being trained.
    return [n for n in fed if n.op == "Placeholder"] or fed


def _body_input(index: GraphIndex, convolutions: set[str], before: set[str]) -> str:
    """The tensor that enters the body: what the first convolution, or its Pad, takes."""
    first = _only(
        (index.nodes[name] for name in convolutions if not index.ancestors([name]) & convolutions),
        "first convolution",
    )
    tensor: str = first.input[0]
    producer = index.nodes[tensor.split(":", maxsplit=1)[0]]
    if producer.op in ("Pad", "PadV2"):
        tensor = producer.input[0]
    return tensor if ":" in tensor else tensor + ":0"


def _concatenation(index: GraphIndex, name: str, within: set[str]) -> str:
    """The concatenation of all feature maps' heads that node `name` is computed from."""
    for node in index.walk_back(name, within):
        if node.op in ("ConcatV2", "Concat"):
            return str(node.name)
        if node.op in CONVOLUTIONS:
            break
    raise BadInput(f"no concatenation of prediction heads before {name!r}")


def _meeting_point(index: GraphIndex, exponentials: list[str]) -> str:
    """Where both box sides come together: the four corners in one tensor."""
    first, second = (index.descendants([name]) for name in exponentials)
    both = first & second
    nodes = [n for n in index.nodes.values() if n.name in both]
    node = _only(
        (n for n in nodes if not any(name in both for name in index.inputs(n))), "box corners"
    )
    if node.op not in ("Pack", "ConcatV2"):
        raise BadInput(f"box corners meet in {node.op} {node.name!r}, expected Pack or ConcatV2")
    return str(node.name)


def _only(nodes: Iterable[Any], what: str) -> Any:
    found = list(nodes)
    if len(found) != 1:
        names = ", ".join(node.name for node in found[:3]) or "none"
        raise BadInput(f"expected one {what} of an SSD, found {len(found)} ({names})")
    return found[0]


Runner = Callable[..., Any]


def _probe(graph_def: Any, index: GraphIndex, cut: Cut) -> FrozenSSD:
    """Run the graph's pieces to learn what the edges do not say."""
    with open_session(graph_def) as run:
        facts = _input_facts(run, cut)
        picture = np.zeros((1, facts.height, facts.width, 3), np.uint8)
        encodings, logits = run([cut.encodings, cut.logits], {cut.image: picture})
        if encodings.shape[-1] != 4:
            raise BadInput(f"boxes of {encodings.shape[-1]} numbers, expected 4")
        decode = _decoder(run, cut, picture, encodings.shape)
        anchors = _centres(decode(np.zeros(4, np.float32)))
        box_scales = _box_scales(anchors, decode)
        background = _drops_background(run, index, cut)
        (scaled,) = run([cut.score_input], {cut.image: picture, cut.logits: np.ones_like(logits)})
        (scores,) = run(["detection_scores:0"], {cut.image: picture})
        iou, threshold = _suppression(index, cut)
    return FrozenSSD(
        graph_def=graph_def,
        cut=cut,
        input=facts,
        anchors=anchors,
        box_scales=box_scales,
        logit_scale=float(scaled.ravel()[0]),
        classes=int(logits.shape[-1]) - background,
        background=background,
        score_threshold=threshold,
        iou_threshold=iou,
        max_detections=int(scores.shape[1]),
        batch_norms=len(index.of_type(*_BATCH_NORMALISATION)),
    )


class open_session:  # noqa: N801 - a context manager that reads as a function
    """Run a GraphDef: `with open_session(graph_def) as run: run([fetches], {feeds})`."""

    def __init__(self, graph_def: Any) -> None:
        tf = import_tensorflow()
        graph = tf.Graph()
        try:
            with graph.as_default():
                tf.import_graph_def(graph_def, name="")
        except (ValueError, TypeError) as error:
            reason = first_line(error)
            raise BadInput(f"TensorFlow refuses the graph ({reason})") from error
        self._session = tf.compat.v1.Session(graph=graph)

    def __enter__(self) -> Runner:
        def run(fetches: list[str], feeds: dict[str, Any]) -> Any:
            tf = import_tensorflow()
            try:
                return self._session.run(fetches, feeds)
            except (tf.errors.OpError, ValueError, TypeError) as error:
                reason = first_line(error)
                raise BadInput(f"the graph does not run ({reason})") from error

        return run

    def __exit__(self, *_: object) -> None:
        self._session.close()


def _input_facts(run: Runner, cut: Cut) -> InputFacts:
    """Size, scaling, channel order and resize rule, from pictures of one colour and of noise."""

    def body(picture: npt.NDArray[np.uint8]) -> Floats:
        return np.asarray(run([cut.body_input], {cut.image: picture[None]})[0])[0]

    wide, tall = np.zeros((64, 128, 3), np.uint8), np.zeros((96, 48, 3), np.uint8)
    black = body(wide)
    if black.ndim != 3 or black.shape[2] != 3:
        raise BadInput(f"the network sees {black.shape}, expected a colour picture")
    if body(tall).shape != black.shape:
        raise BadInput("keeps the aspect ratio when resizing; only fixed-size inputs are supported")
    sources = []
    scales = []
    for channel in range(3):
        wide[...] = 0
        wide[..., channel] = 255
        change = (body(wide) - black).reshape(-1, 3).mean(axis=0)
        target = int(np.abs(change).argmax())
        sources.append(target)
        scales.append(float(change[target]) / 255)
    if sorted(sources) != [0, 1, 2] or min(np.abs(scales)) == 0:
        raise BadInput("its preprocessing mixes colours; only a scale a channel is supported")
    if sources not in ([0, 1, 2], [2, 1, 0]):
        raise BadInput(f"unknown order of colours {sources}")
    # Of the network's own channels from here on.
    scale = [scales[sources.index(channel)] for channel in range(3)]
    offset = black.reshape(-1, 3).mean(axis=0)
    noise = np.random.default_rng(0).integers(0, 256, (120, 168, 3), np.uint8)
    seen = (body(noise) - offset) / np.array(scale, np.float32)
    if sources == [2, 1, 0]:
        seen = seen[..., ::-1]
    return InputFacts(
        name="image",
        height=black.shape[0],
        width=black.shape[1],
        colour="rgb" if sources == [0, 1, 2] else "bgr",
        resize=_resize_rule(noise, seen),
        mean=tuple(_tidy(-o / s) for o, s in zip(offset.tolist(), scale, strict=True)),
        scale=tuple(_tidy(s) for s in scale),
    )


def _resize_rule(noise: npt.NDArray[np.uint8], seen: Floats) -> Resize:
    """Which of the rules that the runtime has gives `seen` `(h, w, 3)` from `noise`."""
    tf = import_tensorflow()
    rules: dict[Resize, dict[str, bool]] = {
        "tf1_bilinear": {},
        "half_pixel_bilinear": {"half_pixel_centers": True},
    }
    for rule, options in rules.items():
        expected = tf.raw_ops.ResizeBilinear(
            images=noise[None].astype(np.float32), size=seen.shape[:2], **options
        )
        if np.abs(expected.numpy()[0] - seen).max() < 0.1:
            return rule
    raise BadInput(
        "resizes pictures by an unknown rule; bilinear without corner alignment is known"
    )


def _tidy(value: float) -> float:
    """Undo float32 rounding: seven significant digits, and zero for what is none."""
    return 0.0 if abs(value) < 1e-6 else float(f"{value:.7g}")


def _decoder(
    run: Runner, cut: Cut, picture: npt.NDArray[np.uint8], shape: tuple[int, ...]
) -> Callable[[Floats], Floats]:
    """The graph's own box decoding, for one encoding given to every anchor."""

    def decode(encoding: Floats) -> Floats:
        everywhere = np.broadcast_to(encoding, shape)
        corners = run([cut.decoded], {cut.image: picture, cut.encodings: everywhere})[0]
        return corners_by_row(corners)

    return decode


def corners_by_row(decoded: npt.NDArray[Any]) -> Floats:
    """What `Cut.decoded` holds, `(4, n)` or `(n, 4)`, as float32 `(n, 4)`."""
    corners = np.asarray(decoded, np.float32).squeeze()
    return corners.T if corners.shape[0] == 4 and corners.shape[-1] != 4 else corners


def _centres(corners: Floats) -> Floats:
    """Corners (ymin, xmin, ymax, xmax) to centre y, centre x, height, width."""
    low, high = corners[:, :2], corners[:, 2:]
    return np.concatenate([(low + high) / 2, high - low], axis=1).astype(np.float32)


def _box_scales(
    anchors: Floats, decode: Callable[[Floats], Floats]
) -> tuple[float, float, float, float]:
    """Faster R-CNN box coding: centre = t / scale * size + anchor, size = exp(t / scale) * anchor.

    Raises:
        BadInput: the graph codes boxes in another way.
    """
    ones = _centres(decode(np.ones(4, np.float32)))
    # Wide anchors carry the most digits.
    best = anchors[:, 2:].min(axis=1).argsort()[-max(1, len(anchors) // 4) :]
    moved = anchors[best, 2:] / (ones[best, :2] - anchors[best, :2])
    grown = 1 / np.log(ones[best, 2:] / anchors[best, 2:])
    per_anchor = np.concatenate([moved, grown], axis=1)
    scales = np.median(per_anchor, axis=0)
    if not np.isfinite(scales).all() or np.abs(per_anchor / scales - 1).max() > 0.01:
        raise BadInput("codes boxes in an unknown way; Faster R-CNN coding is supported")
    y, x, h, w = (float(f"{scale:.4g}") for scale in scales)
    return y, x, h, w


def _drops_background(run: Runner, index: GraphIndex, cut: Cut) -> bool:
    """Whether scores lose their first column on the way to suppression."""
    pending = [cut.score_output.split(":")[0]]
    while pending:
        for node in index.consumers(pending.pop()):
            if node.op == "Identity":
                pending.append(node.name)
            elif node.op in ("Slice", "StridedSlice"):
                begin = index.constant(node.input[1])
                if begin is not None and begin.ravel()[-1] == 1:
                    return True
    return False


def _suppression(index: GraphIndex, cut: Cut) -> tuple[float, float]:
    """IoU and score thresholds of the graph's non-maximum suppression."""
    nodes = [node for node in index.nodes.values() if node.op.startswith("NonMaxSuppression")]
    if not nodes:
        raise BadInput("no NonMaxSuppression in the graph; expected an export with post-processing")
    node = nodes[0]
    iou: Any = node.attr["iou_threshold"].f if "iou_threshold" in node.attr else None
    constants = [index.constant(name) for name in node.input]
    if iou is None and len(constants) > 3:
        iou = constants[3]
    if iou is None:
        raise BadInput(f"{node.op} {node.name!r}: its IoU threshold is not a constant")
    scores = [constants[4]] if len(constants) > 4 else []
    # Older exports filter by score in an operator of their own.
    after = index.descendants([cut.score_output.split(":")[0]])
    scores += [index.constant(n.input[1]) for n in index.of_type("Greater") if n.name in after]
    floats = [float(s) for s in scores if s is not None and s.dtype.kind == "f" and s.ndim == 0]
    threshold = max((s for s in floats if 0 <= s < 1), default=0.0)
    return float(f"{float(iou):.6g}"), float(f"{threshold:.6g}")
