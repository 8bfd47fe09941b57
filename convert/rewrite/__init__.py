"""Graph rewrites: each keeps what the network computes and can be run twice."""

from __future__ import annotations

from collections import Counter
from typing import Any

import onnx_ir as ir
from onnx_ir.passes import common

from .affine import fold_affine
from .dense import absorb_flatten, convolve_pooled
from .editing import forget_shapes
from .opening import free_rows, scale_resizes
from .prelu import restore_prelu
from .reshapes import drop_reshapes, fix_reshapes
from .resizing import convolve_resizes, interpolates
from .scaling import peel_input_scaling
from .siblings import stacked
from .transposed import convolve_transposed
from .transposes import sink_transposes

__all__ = [
    "absorb_flatten",
    "clean_up",
    "convolve_pooled",
    "convolve_resizes",
    "convolve_transposed",
    "drop_reshapes",
    "fix_reshapes",
    "fold_affine",
    "free_rows",
    "interpolates",
    "operators",
    "peel_input_scaling",
    "restore_prelu",
    "scale_resizes",
    "sink_transposes",
    "stacked",
    "tidy",
]


def clean_up(model: Any) -> None:
    """Simplify an `onnx_ir.Model` in place.

    Transposes cancelled, PReLU restored, batch normalisation and channel-wise factors
    folded into convolutions, transposed ones made plain, constants shared, shapes inferred,
    leftovers removed.
    """
    tidy(model)
    fix_reshapes(model.graph)
    drop_reshapes(model.graph)
    sink_transposes(model.graph)
    absorb_flatten(model.graph)
    convolve_pooled(model.graph)
    restore_prelu(model.graph)
    fold_affine(model.graph)
    convolve_transposed(model.graph)
    forget_shapes(model.graph)
    tidy(model)


def operators(model: Any) -> Counter[str]:
    """How often each operator occurs."""
    return Counter(node.op_type for node in model.graph.all_nodes())


def tidy(model: Any) -> None:
    """Constants in one place and once, shapes inferred, leftovers removed."""
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
