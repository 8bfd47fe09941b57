"""Post-training quantisation to int8, as Q/DQ pairs in the graph.

Convolutions compute in int8: weights a scale a channel, activations a symmetric scale a
tensor, biases left in float, which is what TensorRT asks for (Jacob et al., arXiv 1712.05877;
Wu et al., arXiv 2004.09602). Those that only resize the picture are left in half precision.
ONNX Runtime's quantizer measures the ranges and writes the pairs; which other layers stay in
half is measured here, layer by layer.
"""

from __future__ import annotations

import io
import logging
import tempfile
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import contextmanager, redirect_stdout
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import onnx_ir as ir

from fer_edge.engine.errors import BadInput
from fer_edge.engine.types import Floats

from .conversion import Conversion
from .precision import takes_int8
from .rewrite import clean_up, interpolates, operators
from .rewrite.editing import add_constant, array_of

# Inputs by which ranges are measured, and others by which layers are judged.
MAX_RANGE_INPUTS, MAX_JUDGED_INPUTS = 256, 64
_FLOAT, _HALF = ir.DataType.FLOAT, ir.DataType.FLOAT16


# Mean difference of outputs under which accuracy hardly moves: of a detector's 200 sorted
# scores, and of probabilities, where 0.0017 still changed the answer for 1.0 % of the faces.
BUDGETS = {"detector": 0.003, "expression": 0.0014}
# Share of a tensor's values in the range, in percent. One face in a hundred has a few values
# far beyond all others, for which every other face would lose precision. A detector's maps are
# too large to keep for this, and gain nothing.
PERCENTILES = {"expression": 99.999}


@dataclass(frozen=True)
class Quantised:
    """A quantised network.

    Attributes:
        model: an `onnx_ir.Model`: int8 convolutions, the rest of the heavy layers in half.
        kept: names of the convolutions left in half, most sensitive first.
        layers: number of convolutions.
        error: mean difference of the outputs from the float network's, on inputs that took
            no part in measuring the ranges.
    """

    model: Any
    kept: tuple[str, ...]
    layers: int
    error: float


def quantise(
    model: Any,
    inputs: Sequence[Floats],
    error: Callable[[Sequence[Floats], Sequence[Floats]], float],
    budget: float,
    percentile: float = 100.0,
) -> Quantised:
    """Quantise a float32 network, leaving in half what hurts most until the error fits.

    Args:
        model: an `onnx_ir.Model` with one input; left as it is.
        inputs: for the network, `(1, channels, height, width)` each; two thirds measure
            ranges, a third judges.
        error: mean difference of two lists of outputs, an entry an input.
        budget: largest error allowed.
        percentile: of a tensor's values that its range holds; 100 for all.

    Raises:
        BadInput: fewer than three inputs, or half of the layers in half precision do not
            bring the error within the budget.
    """
    if len(inputs) < 3:
        raise BadInput(f"{len(inputs)} calibration inputs are too few; give at least 3, better 100")
    judged = list(inputs[::3])[:MAX_JUDGED_INPUTS]
    ranges = [x for i, x in enumerate(inputs) if i % 3][:MAX_RANGE_INPUTS]
    source = _named(model)
    full = _with_pairs(source, ranges, percentile)
    reference = _run(source, judged)

    def cost(quantised: Collection[str]) -> float:
        return error(_run(_only(full, source, quantised), judged), reference)

    names = [node.name for node in full.graph if node.op_type == "Conv" and takes_int8(node)]
    total = cost(names)
    kept: list[str] = []
    if total > budget:
        alone = {name: cost([name]) for name in names}
        ranked = sorted(names, key=lambda name: -alone[name])
        while total > budget:
            if 2 * len(kept) >= len(names):
                raise BadInput(
                    f"int8 differs by {total:.4f} on average (allowed {budget:g}) even with half "
                    "of the layers in fp16; give more calibration images, or take fp16"
                )
            kept.append(ranked[len(kept)])
            total = cost([name for name in names if name not in kept])
    result = _only(full, source, [name for name in names if name not in kept])
    _halve_heavy(result)
    return Quantised(result, tuple(kept), len(names), total)


def quantised(conversion: Conversion, inputs: Sequence[Floats]) -> Conversion:
    """A conversion whose network is in int8, with its cost in the description.

    Args:
        conversion: of a float32 network.
        inputs: see `quantise`.

    Raises:
        BadInput: see `quantise`.
    """
    kind = conversion.facts.kind
    error = score_error if kind == "detector" else probability_error
    result = quantise(conversion.model, inputs, error, BUDGETS[kind], PERCENTILES.get(kind, 100.0))
    kept = len(result.kept)
    rows = {
        "int8": f"{result.layers - kept} of {result.layers} convolutions, "
        f"{kept} left in fp16 by their measured sensitivity",
        "cost of int8": f"{result.error:.5f} mean difference of the "
        f"{'scores' if kind == 'detector' else 'probabilities'}, {len(inputs)} inputs",
    }
    return replace(
        conversion,
        model=result.model,
        description={**conversion.description, **rows},
        operators=(conversion.operators[0], dict(operators(result.model))),
    )


def score_error(found: Sequence[Floats], expected: Sequence[Floats]) -> float:
    """Mean difference of sorted scores `(1, k, classes)`: places in a top-k may change."""
    pairs = zip(found, expected, strict=True)
    return float(np.mean([np.abs(np.sort(a, 1) - np.sort(b, 1)).mean() for a, b in pairs]))


def probability_error(found: Sequence[Floats], expected: Sequence[Floats]) -> float:
    """Mean difference of probabilities `(1, classes)`."""
    return float(np.mean([np.abs(a - b).mean() for a, b in zip(found, expected, strict=True)]))


def _named(model: Any) -> Any:
    """A copy in which every convolution has a name of its own."""
    copy = ir.from_proto(ir.to_proto(model))
    for index, node in enumerate(copy.graph):
        if node.op_type == "Conv":
            node.name = f"conv_{index}"
    return copy


def _with_pairs(model: Any, inputs: Sequence[Floats], percentile: float) -> Any:
    import onnx
    from onnxruntime.quantization import (
        CalibrationDataReader,
        CalibrationMethod,
        QuantFormat,
        QuantType,
        quantize_static,
    )

    feed = model.graph.inputs[0].name
    method = CalibrationMethod.MinMax if percentile == 100 else CalibrationMethod.Percentile

    class Reader(CalibrationDataReader):  # type: ignore[misc]
        def __init__(self) -> None:
            self._left = iter(inputs)

        def get_next(self) -> dict[str, Floats] | None:
            value = next(self._left, None)
            return None if value is None else {feed: value}

    with tempfile.TemporaryDirectory(prefix="fer-convert-") as folder, _quiet():
        source, target = Path(folder, "float.onnx"), Path(folder, "int8.onnx")
        onnx.save(ir.to_proto(model), source)
        quantize_static(
            source,
            target,
            Reader(),
            quant_format=QuantFormat.QDQ,
            per_channel=True,
            activation_type=QuantType.QInt8,
            weight_type=QuantType.QInt8,
            op_types_to_quantize=["Conv"],
            nodes_to_exclude=[n.name for n in model.graph if interpolates(n)],
            calibrate_method=method,
            extra_options={
                "ActivationSymmetric": True,
                "CalibPercentile": percentile,
                "WeightSymmetric": True,
                "QuantizeBias": False,
                "OpTypesToExcludeOutputQuantization": ["Conv"],
            },
        )
        return ir.from_proto(onnx.load(target))


@contextmanager
def _quiet() -> Iterator[None]:
    """Without the advice and the progress that ONNX Runtime's quantizer writes."""
    before = logging.root.manager.disable
    logging.disable(logging.WARNING)
    try:
        with redirect_stdout(io.StringIO()):
            yield
    finally:
        logging.disable(before)


def _only(full: Any, source: Any, names: Collection[str]) -> Any:
    """The quantised network in which only some convolutions are in int8."""
    model = ir.from_proto(ir.to_proto(full))
    originals = {node.name: node for node in source.graph if node.op_type == "Conv"}
    for node in list(model.graph):
        if node.op_type != "Conv" or not takes_int8(node) or node.name in names:
            continue
        quantize = node.inputs[0].producer().inputs[0].producer()
        node.replace_input_with(0, quantize.inputs[0])
        weights = np.asarray(array_of(originals[node.name].inputs[1]))
        constant = add_constant(model.graph, f"{node.name}_weights", weights)
        node.replace_input_with(1, constant)
    clean_up(model)
    return model


def _run(model: Any, inputs: Sequence[Floats]) -> list[Floats]:
    """The last output, which holds scores or probabilities, for each input."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    proto = ir.to_proto(model).SerializeToString()
    session = onnxruntime.InferenceSession(proto, options, providers=["CPUExecutionProvider"])
    feed, name = session.get_inputs()[0].name, session.get_outputs()[-1].name
    return [session.run([name], {feed: value})[0] for value in inputs]


def _halve_heavy(model: Any) -> None:
    """Let the heavy layers that are not in int8 compute in half, between casts."""
    graph = model.graph
    for node in list(graph):
        if node.op_type not in ("Conv", "Gemm", "MatMul") or takes_int8(node):
            continue
        for index, value in enumerate(node.inputs):
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
