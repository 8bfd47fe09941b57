"""Operations and bytes of a network, counted from its ONNX graph at batch 1.

Convolutions and matrix products are counted, a multiplication and an addition as two
operations. What is left out (activations, pooling, box decoding) is below 2 % of the
operations of these networks; backends fuse it into the operators counted.
"""

from __future__ import annotations

from math import prod
from pathlib import Path
from typing import Any

from fer_edge.engine.errors import BackendUnavailable, BadInput

from .records import Work

ELEMENT_BYTES = {"fp32": 4, "fp16": 2, "bf16": 2, "int8": 1}


def count_work(path: Path, precision: str) -> Work:
    """Count a converted model.

    Args:
        path: an ONNX file.
        precision: of the arithmetic, which decides the bytes; a key of `ELEMENT_BYTES`.

    Raises:
        BackendUnavailable: the onnx package is missing.
        BadInput: a precision whose size is not known, or shapes that the graph leaves open.
    """
    try:
        import onnx
    except ModuleNotFoundError as error:
        raise BackendUnavailable(
            "counting operations needs onnx: pip install 'fer-edge[bench]'"
        ) from error
    if precision not in ELEMENT_BYTES:
        raise BadInput(f"precision {precision!r} has no known size of an element")
    model = onnx.load(str(path))
    for value in model.graph.input:
        dimensions = value.type.tensor_type.shape.dim
        if dimensions and not dimensions[0].dim_value:
            dimensions[0].dim_value = 1
    del model.graph.value_info[:]
    graph = onnx.shape_inference.infer_shapes(model, data_prop=True).graph
    shapes = _shapes(graph)
    flop = weights = activations = 0
    for node in graph.node:
        if node.op_type not in ("Conv", "MatMul", "Gemm"):
            continue
        flop += _operations(node, shapes)
        data, weight = (_shape(shapes, name) for name in node.input[:2])
        weights += prod(weight)
        activations += prod(data) + prod(_shape(shapes, node.output[0]))
    size = ELEMENT_BYTES[precision]
    return Work(path.stem, float(flop), float(weights * size), float(activations * size))


def _operations(node: Any, shapes: dict[str, tuple[int, ...]]) -> int:
    output = prod(_shape(shapes, node.output[0]))
    if node.op_type == "Conv":
        # (out, in / groups, *kernel): what each output sums over.
        return 2 * output * prod(_shape(shapes, node.input[1])[1:])
    data = _shape(shapes, node.input[0])
    transposed = any(a.name == "transA" and a.i for a in node.attribute)
    return 2 * output * (data[0] if transposed else data[-1])


def _shapes(graph: Any) -> dict[str, tuple[int, ...]]:
    shapes = {one.name: tuple(one.dims) for one in graph.initializer}
    for value in (*graph.input, *graph.value_info, *graph.output):
        kind = value.type.tensor_type
        if kind.HasField("shape"):
            shapes[value.name] = tuple(d.dim_value for d in kind.shape.dim)
    return shapes


def _shape(shapes: dict[str, tuple[int, ...]], name: str) -> tuple[int, ...]:
    shape = shapes.get(name)
    if shape is None or 0 in shape:
        raise BadInput(f"the shape of {name!r} is not known from the graph")
    return shape
