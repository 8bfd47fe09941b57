"""Dense layers: the order of a flattened map in their weights, or as the convolutions they are."""

from __future__ import annotations

from typing import Any

import numpy as np
import onnx_ir as ir

from .editing import add_constant, array_of, only_user, rank_of
from .transposes import permutation


def absorb_flatten(graph: Any) -> int:
    """Turn Transpose, Reshape `(n, f)`, MatMul into Reshape, MatMul; returns how many.

    Rows of the constant weights `(f, units)` are put into the order in which the map
    `(n, c, h, w)` lies in memory.
    """
    absorbed = 0
    for reshape in list(graph):
        if reshape.op_type != "Reshape":
            continue
        transpose = reshape.inputs[0].producer()
        perm = permutation(transpose)
        target = array_of(reshape.inputs[1])
        dense = only_user(reshape.outputs[0])
        if perm is None or perm[0] != 0 or target is None or dense is None:
            continue
        if dense.op_type != "MatMul" or dense.inputs[0] is not reshape.outputs[0]:
            continue
        weights = array_of(dense.inputs[1])
        shape = transpose.inputs[0].shape
        if weights is None or weights.ndim != 2 or shape is None:
            continue
        lengths = list(shape)[1:]
        if not all(isinstance(length, int) for length in lengths):
            continue
        # Only where the batch alone is kept: (n, f), with f all the rest.
        if len(target) != 2 or target[1] not in (-1, len(weights)):
            continue
        if int(np.prod(lengths)) != len(weights):
            continue
        order = np.arange(len(weights)).reshape([lengths[axis - 1] for axis in perm[1:]])
        back = [perm.index(axis) - 1 for axis in range(1, len(perm))]
        rows = order.transpose(back).ravel()
        reshape.replace_input_with(0, transpose.inputs[0])
        moved = add_constant(graph, f"{dense.inputs[1].name}_nchw", weights[rows])
        dense.replace_input_with(1, moved)
        absorbed += 1
    return absorbed


def convolve_pooled(graph: Any) -> int:
    """Turn a MatMul of globally pooled maps into a 1x1 Conv before the Squeeze; returns how many.

    TensorRT-RTX has no matrix product in fp32 for Turing, and convolutions it has.
    """
    turned = 0
    for squeeze in list(graph):
        if squeeze.op_type != "Squeeze" or squeeze.inputs[0].producer() is None:
            continue
        maps = squeeze.inputs[0]
        dense = only_user(squeeze.outputs[0])
        if maps.producer().op_type != "GlobalAveragePool" or rank_of(maps) != 4:
            continue
        if rank_of(squeeze.outputs[0]) != 2 or dense is None or dense.op_type != "MatMul":
            continue
        weights = array_of(dense.inputs[1])
        if dense.inputs[0] is not squeeze.outputs[0] or weights is None or weights.ndim != 2:
            continue
        kernel = add_constant(graph, f"{dense.inputs[1].name}_1x1", weights.T[:, :, None, None])
        convolution = ir.node("Conv", [maps, kernel], {"kernel_shape": [1, 1]}, name=dense.name)
        graph.insert_before(squeeze, convolution)
        squeeze.replace_input_with(0, convolution.outputs[0])
        # The answers come out of the Squeeze now, under the name that they had.
        answers, rows = dense.outputs[0], squeeze.outputs[0]
        rows.shape, rows.type = answers.shape, answers.type
        name, answers.name = answers.name, None
        rows.name = name
        answers.replace_all_uses_with(rows, replace_graph_outputs=True)
        graph.remove(dense, safe=True)
        turned += 1
    return turned
