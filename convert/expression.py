"""A Keras expression model to ONNX."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path

import numpy as np

from fer_edge.engine.errors import BadInput
from fer_edge.engine.model import ExpressionFacts, InputFacts, ModelFacts, sha256_of
from fer_edge.engine.types import Floats

from .conversion import Conversion, Options, Step, parameters
from .facts import converter_version, expression_labels
from .keras_model import (
    LABEL_PROBABILITIES,
    PROBABILITIES,
    KerasFile,
    KerasNetwork,
    load,
    read_keras_file,
)
from .onnx_from_tensorflow import onnx_from_graph_def
from .precision import to_half
from .rewrite import clean_up, convolve_resizes, operators, peel_input_scaling

INPUT = "image"
# In the order of a Keras model's heads.
OUTPUTS = (PROBABILITIES, LABEL_PROBABILITIES)
DEFAULT_RANGE = (-1.0, 1.0)


def convert_expression(path: Path, options: Options, step: Step) -> Conversion:
    """Convert a Keras model that classifies faces.

    Raises:
        BadInput: see `read_keras_file` and `load`.
        UnsafeModel: a layer outside the allow-list.
    """
    import onnx_ir as ir

    with step("reading and checking the layers"):
        file = read_keras_file(path)
    with step("loading it with Keras"):
        network = load(path, file, options.input_size)
    try:
        labels = expression_labels(options.labels or file.labels, network.classes)
        with step("writing the network as ONNX"):
            model = ir.from_proto(
                onnx_from_graph_def(
                    network.graph_def, network.input_name, list(network.output_names)
                )
            )
    except BadInput as error:
        raise BadInput(f"{path}: {error}") from error
    before = operators(model)
    with step("rewriting the graph"):
        _name_ends(model, network)
        clean_up(model)
        logits = _gives_logits(network, options, file.scales_pixels)
        if logits:
            _append_softmax(model)
        peeled = peel_input_scaling(model.graph, network.channels)
        clean_up(model)
        learnt = parameters(model)
        if convolve_resizes(model.graph):
            clean_up(model)
        if options.precision == "fp16":
            to_half(model)
    mean, scale, note = _scaling(options, file.scales_pixels, peeled, network.channels)
    facts = ModelFacts(
        kind="expression",
        input=InputFacts(
            name=INPUT,
            height=network.height,
            width=network.width,
            colour="gray" if network.channels == 1 else "rgb",
            resize="area",
            mean=mean,
            scale=scale,
        ),
        labels=labels,
        precision=options.precision,
        source_name=path.name,
        source_sha256=sha256_of(path),
        converter=converter_version(),
        expression=ExpressionFacts(
            PROBABILITIES,
            options.crop_scale,
            LABEL_PROBABILITIES if len(network.output_names) > 1 else None,
            **asdict(options.surer(file.certainty)),
        ),
    )
    return Conversion(
        model=model,
        facts=facts,
        original=_original(network, options, file.scales_pixels, logits),
        description={**_description(file, facts), "parameters": f"{learnt:,}"},
        operators=(dict(before), dict(operators(model))),
        notes=[note] if note else [],
    )


def _original(
    network: KerasNetwork, options: Options, scaled_inside: bool, logits: bool
) -> Callable[[Floats], Floats]:
    """The Keras model from pixels `(n, h, w, c)`, 0-255, to probabilities `(n, classes)`."""
    mean, scale = pixel_scaling(options, scaled_inside)

    def probabilities(pixels: Floats) -> Floats:
        rows = network.predict(((pixels - mean) * scale).astype(np.float32))
        if logits:
            rows = np.exp(rows - rows.max(axis=1, keepdims=True))
            rows /= rows.sum(axis=1, keepdims=True)
        return rows

    return probabilities


def pixel_scaling(options: Options, scaled_inside: bool) -> tuple[float, float]:
    """(mean, scale) that bring pixels into the range the Keras model expects."""
    low, high = options.input_range or ((0.0, 255.0) if scaled_inside else DEFAULT_RANGE)
    scale = (high - low) / 255
    return -low / scale, scale


def _scaling(
    options: Options,
    scaled_inside: bool,
    peeled: tuple[list[float], list[float]] | None,
    channels: int,
) -> tuple[tuple[float, ...], tuple[float, ...], str | None]:
    """Mean and scale for the facts, and a note where they had to be guessed."""
    mean, scale = pixel_scaling(options, scaled_inside)
    note = None
    if not scaled_inside and options.input_range is None:
        low, high = DEFAULT_RANGE
        note = (
            f"the model does not say how it wants its pixels; taken as {low:g} to {high:g} "
            "(--input-range=0,1 changes it)"
        )
    means, scales = np.full(channels, mean), np.full(channels, scale)
    if peeled is not None:
        inner_mean, inner_scale = (np.array(values) for values in peeled)
        # ((p - mean) * scale - inner_mean) * inner_scale, as one mean and one scale.
        means, scales = means + inner_mean / scales, scales * inner_scale
    return tuple(map(_tidy, means)), tuple(map(_tidy, scales)), note


def _tidy(value: float) -> float:
    return 0.0 if abs(value) < 1e-9 else float(f"{value:.7g}")


def _name_ends(model: object, network: KerasNetwork) -> None:
    import onnx_ir as ir

    graph = model.graph  # type: ignore[attr-defined]
    graph.name = "expression"
    (image,) = graph.inputs
    image.name = INPUT
    image.shape = ir.Shape(["batch", network.channels, network.height, network.width])
    for output, name in zip(graph.outputs, OUTPUTS, strict=False):
        output.name = name
        output.shape = ir.Shape(["batch", network.classes])


def _gives_logits(network: KerasNetwork, options: Options, scaled_inside: bool) -> bool:
    """Whether rows of the output are no probabilities, by trying."""
    mean, scale = pixel_scaling(options, scaled_inside)
    shape = (4, network.height, network.width, network.channels)
    pixels = np.random.default_rng(0).uniform(0, 255, shape)
    rows = network.predict(((pixels - mean) * scale).astype(np.float32))
    return bool((rows < 0).any() or np.abs(rows.sum(axis=1) - 1).max() > 1e-3)


def _append_softmax(model: object) -> None:
    import onnx_ir as ir

    graph = model.graph  # type: ignore[attr-defined]
    for index, (logits, name) in enumerate(zip(list(graph.outputs), OUTPUTS, strict=False)):
        node = ir.node("Softmax", [logits], {"axis": 1}, name=f"{name}_softmax")
        logits.name, node.outputs[0].name = f"{name}_logits", name
        node.outputs[0].shape, node.outputs[0].type = logits.shape, logits.type
        graph.append(node)
        graph.outputs[index] = node.outputs[0]


def _description(file: KerasFile, facts: ModelFacts) -> dict[str, str]:
    see = facts.input
    return {
        "network": f"expression model of Keras {file.version}",
        "input": f"{see.width}x{see.height} {see.colour}, "
        f"(pixel - {see.mean[0]:g}) * {see.scale[0]:.6g}",
        "classes": ", ".join(facts.labels),
    }
