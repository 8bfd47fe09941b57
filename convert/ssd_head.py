"""Box decoding, scores and a fixed-size top-k behind an SSD body, in plain ONNX operators.

No loop, no plugin, no suppression: what comes out has a static shape and holds every
box that suppression on the host could keep, as long as it keeps fewer than k.
"""

from __future__ import annotations

from typing import Any

from .frozen_ssd import FrozenSSD
from .head import BOXES, SCORES, HeadBuilder, set_outputs


def append_head(model: Any, ssd: FrozenSSD, top_k: int) -> None:
    """Extend a body in place (opset 17).

    Args:
        model: an `onnx_ir.Model` whose outputs are box encodings and class logits.
        ssd: anchors, box coding and score function.
        top_k: anchors that survive, at most all.

    The outputs become `boxes` float32 `(1, k, 4)`, normalised (ymin, xmin, ymax, xmax),
    and `scores` float32 `(1, k, classes)` without background, best anchor first.
    """
    graph = model.graph
    encodings, logits = graph.outputs
    graph.outputs.clear()
    add = HeadBuilder(graph)
    count = len(ssd.anchors)
    encodings = add("Reshape", encodings, add.integers("encodings_shape", 1, count, 4))
    columns = ssd.classes + ssd.background
    logits = add("Reshape", logits, add.integers("logits_shape", 1, count, columns))
    scores = _scores(add, logits, ssd)
    best = add("ReduceMax", scores, axes=[2], keepdims=0)
    k = min(top_k, count)
    _, chosen = add("TopK", best, add.integers("k", k), outputs=2, axis=1, largest=1, sorted=1)
    chosen = add("Reshape", chosen, add.integers("k_shape", k))
    # Decode the survivors alone: gathering first spares the exponentials of the others.
    boxes = _decode(
        add,
        add("Gather", encodings, chosen, axis=1),
        add("Gather", add.floats("anchors", ssd.anchors), chosen, axis=0),
        ssd,
    )
    survivors = add("Gather", scores, chosen, axis=1)
    set_outputs(
        graph,
        {BOXES: (boxes, (1, k, 4)), SCORES: (survivors, (1, k, ssd.classes))},
    )


def _scores(add: HeadBuilder, logits: Any, ssd: FrozenSSD) -> Any:
    """Probabilities `(1, n, classes)` without background."""
    if ssd.logit_scale != 1:
        logits = add("Mul", logits, add.floats("logit_scale", ssd.logit_scale))
    if ssd.cut.score_function == "Softmax":
        # Background takes part in a softmax and leaves afterwards.
        return _without_background(add, add("Softmax", logits, axis=2), ssd)
    return add("Sigmoid", _without_background(add, logits, ssd))


def _without_background(add: HeadBuilder, columns: Any, ssd: FrozenSSD) -> Any:
    if not ssd.background:
        return columns
    return _columns(add, columns, 1, 1 + ssd.classes)


def _columns(add: HeadBuilder, value: Any, start: int, end: int) -> Any:
    bounds = [
        add.integers(f"start_{start}", start),
        add.integers(f"end_{end}", end),
        add.integers("last_axis", -1),
    ]
    return add("Slice", value, *bounds)


def _decode(add: HeadBuilder, encodings: Any, anchors: Any, ssd: FrozenSSD) -> Any:
    """Faster R-CNN box coding (arXiv 1506.01497, eq. 2), centre and size to corners."""
    y, x, h, w = ssd.box_scales
    size = _columns(add, anchors, 2, 4)
    shift = add("Mul", _columns(add, encodings, 0, 2), add.floats("yx", [1 / y, 1 / x]))
    centre = add("Add", add("Mul", shift, size), _columns(add, anchors, 0, 2))
    growth = add(
        "Exp", add("Mul", _columns(add, encodings, 2, 4), add.floats("hw", [1 / h, 1 / w]))
    )
    half = add("Mul", add("Mul", growth, size), add.floats("half", 0.5))
    return add("Concat", add("Sub", centre, half), add("Add", centre, half), axis=2)
