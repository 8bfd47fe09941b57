"""Graph rewrites: each keeps what the network computes and can be run twice."""

from __future__ import annotations

from collections import Counter
from typing import Any

import onnx_ir as ir
from onnx_ir.passes import common

from .affine import fold_affine
from .dense import absorb_flatten, convolve_pooled
from .editing import forget_shapes
from .prelu import restore_prelu
from .reshapes import drop_reshapes, fix_reshapes
from .resizing import convolve_resizes, interpolates
from .scaling import peel_input_scaling
from .transposes import sink_transposes

__all__ = [
    "absorb_flatten",
    "clean_up",
    "convolve_pooled",
    "convolve_resizes",
    "drop_reshapes",
    "fix_reshapes",
    "fold_affine",
    "interpolates",
    "operators",
    "peel_input_scaling",
    "restore_prelu",
    "sink_transposes",
]


def clean_up(model: Any) -> None:
    """Simplify an `onnx_ir.Model` in place.

    Transposes cancelled, PReLU restored, batch normalisation and channel-wise factors
    folded into convolutions, constants shared, shapes inferred, leftovers removed.
    """
    _tidy(model)
    fix_reshapes(model.graph)
    drop_reshapes(model.graph)
    sink_transposes(model.graph)
    absorb_flatten(model.graph)
    convolve_pooled(model.graph)
    restore_prelu(model.graph)
    fold_affine(model.graph)
    forget_shapes(model.graph)
    _tidy(model)


def operators(model: Any) -> Counter[str]:
    """How often each operator occurs."""
    return Counter(node.op_type for node in model.graph.all_nodes())


def _tidy(model: Any) -> None:
    passes = ir.passes.Sequential(
        common.LiftConstantsToInitializersPass(lift_all_constants=True, size_limit=0),
        common.IdentityEliminationPass(),
        common.CommonSubexpressionEliminationPass(),
        common.DeduplicateInitializersPass(),
        common.RemoveUnusedNodesPass(),
        common.ShapeInferencePass(data_prop=True),
        common.TopologicalSortPass(),
    )
    passes(model)
