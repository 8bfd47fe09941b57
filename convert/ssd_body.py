"""The body of a frozen SSD as ONNX: from the scaled picture to encodings and logits."""

from __future__ import annotations

from typing import Any

from .frozen_ssd import FrozenSSD
from .onnx_from_tensorflow import onnx_from_graph_def
from .tensorflow import import_tensorflow

INPUT = "image"


def onnx_body(ssd: FrozenSSD) -> Any:
    """Cut the body out of the graph.

    Returns:
        An `onnx.ModelProto`: one float32 `(1, 3, h, w)` in, `ssd.cut.encodings` and
        `ssd.cut.logits` out.

    Raises:
        BadInput: see `onnx_from_graph_def`.
    """
    name = _free_name(ssd, INPUT)
    heads = [ssd.cut.encodings, ssd.cut.logits]
    return onnx_from_graph_def(cut_out(ssd, name), f"{name}:0", heads)


def cut_out(ssd: FrozenSSD, name: str) -> Any:
    """The nodes between `cut.body_input`, now the placeholder `name`, and the two heads."""
    tf = import_tensorflow()
    graph_def = tf.compat.v1.GraphDef()
    graph_def.CopyFrom(ssd.graph_def)
    placeholder = graph_def.node.add(name=name, op="Placeholder")
    placeholder.attr["dtype"].type = tf.float32.as_datatype_enum
    shape = tf.TensorShape([1, ssd.input.height, ssd.input.width, 3])
    placeholder.attr["shape"].shape.CopyFrom(shape.as_proto())
    old = ssd.cut.body_input.removesuffix(":0")
    for node in graph_def.node:
        for position, tensor in enumerate(node.input):
            if tensor.removesuffix(":0") == old:
                node.input[position] = name
    outputs = [tensor.split(":")[0] for tensor in (ssd.cut.encodings, ssd.cut.logits)]
    return tf.compat.v1.graph_util.extract_sub_graph(graph_def, outputs)


def _free_name(ssd: FrozenSSD, like: str) -> str:
    taken = {node.name for node in ssd.graph_def.node}
    while like in taken:
        like += "_"
    return like
