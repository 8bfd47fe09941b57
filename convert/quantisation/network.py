"""A float network to int8, as far as its answers stay what they were."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import onnx_ir as ir

from fer_edge.engine.errors import BadInput
from fer_edge.engine.types import Floats

from ..conversion import Conversion
from ..precision import takes_int8
from ..rewrite import clean_up, interpolates, operators
from ..rewrite.editing import add_constant, array_of
from .agreement import Difference, Judge, Outputs, judge_of
from .equalise import equalise
from .execution import open_session
from .layers import Int8Layer, activation_step, int8_layer
from .observe import Spread, convolutions, multiplications, observe
from .pairs import with_pairs
from .search import layers_to_keep

# Inputs by which ranges are measured, others by which layers are judged, and of these a few by
# which layers are ranked.
MAX_RANGE_INPUTS, MAX_JUDGED_INPUTS, MAX_RANKING_INPUTS = 128, 64, 4
# Of the multiplications, in int8: with less, nothing is gained that the conversions between
# int8 and float do not take again.
LEAST_SHARE = 0.3
_FLOAT, _HALF = ir.DataType.FLOAT, ir.DataType.FLOAT16


@dataclass(frozen=True)
class Quantised:
    """A quantised network.

    Attributes:
        model: an `onnx_ir.Model`: int8 convolutions, the rest of the heavy layers in half.
        kept: names of the convolutions left in half, most harmful first.
        layers: number of convolutions that could be in int8.
        share: of the network's multiplications in int8, 0-1.
        difference: from the float network, on inputs that took no part in measuring ranges.
    """

    model: Any
    kept: tuple[str, ...]
    layers: int
    share: float
    difference: Difference


def quantise(model: Any, inputs: Sequence[Floats], judge: Judge) -> Quantised:
    """Quantise a float32 network, leaving in half what hurts most until the judge agrees.

    Args:
        model: an `onnx_ir.Model` with one input; left as it is.
        inputs: for the network, `(1, channels, height, width)` each; two thirds measure
            ranges, a third judges.
        judge: compares outputs with those of the float network.

    Raises:
        BadInput: fewer than three inputs, nothing to judge by in them, or too little is left
            in int8 to gain anything.
    """
    if len(inputs) < 3:
        raise BadInput(f"{len(inputs)} calibration inputs are too few; give at least 3, better 100")
    judged = list(inputs[::3])[:MAX_JUDGED_INPUTS]
    source = _named(model)
    expected = _run(source, judged)
    findings = [judge.findings(outputs) for outputs in expected]
    if not any(findings):
        raise BadInput(
            "the network finds nothing in the calibration pictures, so nothing can be judged by "
            "them; give pictures with faces"
        )
    spreads = observe(source, [x for i, x in enumerate(inputs) if i % 3][:MAX_RANGE_INPUTS])
    macs = {n.name: multiplications(n, spreads[n.inputs[0].name]) for n in convolutions(source)}
    able = {n.name: macs[n.name] for n in convolutions(source) if not interpolates(n)}
    layers = _int8_layers(source, able, equalise(source, spreads))

    def difference(names: Collection[str], which: Sequence[int]) -> Difference:
        model = with_pairs(source, {name: layers[name] for name in names})
        found = _run(model, [judged[index] for index in which])
        return judge(found, [expected[index] for index in which])

    every = range(len(judged))
    telling = np.argsort(findings)[::-1][:MAX_RANKING_INPUTS].tolist()
    kept = layers_to_keep(
        able,
        quick=lambda names: difference(names, telling).excess,
        excess=lambda names: difference(names, every).excess,
    )
    left = [name for name in able if name not in kept]
    share = sum(able[name] for name in left) / max(sum(macs.values()), 1)
    if share < LEAST_SHARE:
        raise BadInput(
            f"int8 holds its accuracy for {share:.0%} of the multiplications only, with which "
            "nothing is gained; give more calibration pictures, or take fp16"
        )
    result = with_pairs(source, {name: layers[name] for name in left})
    _halve_heavy(result)
    return Quantised(result, kept, len(able), share, difference(left, every))


def quantised(conversion: Conversion, inputs: Sequence[Floats]) -> Conversion:
    """A conversion whose network is in int8, with its cost in the description.

    Args:
        conversion: of a float32 network.
        inputs: see `quantise`.

    Raises:
        BadInput: see `quantise`.
    """
    result = quantise(conversion.model, inputs, judge_of(conversion.facts))
    kept = len(result.kept)
    rows = {
        "int8": f"{result.layers - kept} of {result.layers} convolutions, {result.share:.0%} of "
        "the multiplications; the others in fp16, by what they cost",
        "cost of int8": f"{result.difference}, {len(inputs)} inputs",
    }
    return replace(
        conversion,
        model=result.model,
        description={**conversion.description, **rows},
        operators=(conversion.operators[0], dict(operators(result.model))),
    )


def _named(model: Any) -> Any:
    """A copy in which every convolution has a name of its own."""
    copy = ir.from_proto(ir.to_proto(model))
    for index, node in enumerate(convolutions(copy)):
        node.name = f"conv_{index}"
    return copy


def _int8_layers(
    model: Any, names: Collection[str], spreads: Mapping[str, Spread]
) -> dict[str, Int8Layer]:
    steps: dict[str, float] = {}
    layers = {}
    for node in convolutions(model):
        if node.name in names:
            value = node.inputs[0].name
            if value not in steps:
                steps[value] = activation_step(spreads[value])
            layers[node.name] = int8_layer(node, spreads[value], steps[value])
    return layers


def _run(model: Any, inputs: Sequence[Floats]) -> list[Outputs]:
    session = open_session(model)
    feed = model.graph.inputs[0].name
    return [session.run({feed: value}) for value in inputs]


def _halve_heavy(model: Any) -> None:
    """Let the heavy layers that are not in int8 compute in half, between casts."""
    graph = model.graph
    for node in list(graph):
        if node.op_type not in ("Conv", "Gemm", "MatMul") or takes_int8(node):
            continue
        for index, value in enumerate(node.inputs):
            if value is None:
                continue
            array = array_of(value)
            if array is not None:
                half = add_constant(graph, f"{value.name}_half", array.astype(np.float16))
            else:
                cast = ir.node("Cast", [value], {"to": int(_HALF)})
                half = cast.outputs[0]
                half.name, half.shape = f"{node.name or node.op_type}_{index}_half", value.shape
                half.type = ir.TensorType(_HALF)
                graph.insert_before(node, cast)
            node.replace_input_with(index, half)
        output = node.outputs[0]
        users = list(output.uses())
        cast = ir.node("Cast", [output], {"to": int(_FLOAT)})
        wide = cast.outputs[0]
        wide.shape, wide.type = output.shape, ir.TensorType(_FLOAT)
        wide.name = f"{output.name}_float"
        output.type = ir.TensorType(_HALF)
        graph.insert_after(node, cast)
        for user, position in users:
            user.replace_input_with(position, wide)
    clean_up(model)
