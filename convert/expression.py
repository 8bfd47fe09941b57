"""A Keras expression model to ONNX."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path

import numpy as np
import numpy.typing as npt

from fer_edge.engine.errors import BadInput
from fer_edge.engine.model import (
    FER2013_LABELS,
    Colour,
    ExpressionFacts,
    InputFacts,
    ModelFacts,
    sha256_of,
)
from fer_edge.engine.types import Floats, Image

from .conversion import Conversion, Options, Step, parameters
from .endings import append_ending, as_probabilities, ending_of
from .facts import converter_version, expression_labels
from .images import face_pixels, resized_face
from .keras_model import (
    LABEL_PROBABILITIES,
    PROBABILITIES,
    KerasFile,
    KerasNetwork,
    load,
    read_keras_file,
)
from .onnx_from_tensorflow import onnx_from_graph_def
from .orders import judge, labelled_faces
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
        look = _Look(network, options, file.scales_pixels)
        labels, named_by = expression_labels(
            options.labels, file.labels, options.order, network.classes, look.judged()
        )
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
        append_ending(model.graph, look.ending)
        peeled = peel_input_scaling(model.graph, network.channels)
        clean_up(model)
        learnt = parameters(model)
        if convolve_resizes(model.graph):
            clean_up(model)
        if options.precision == "fp16":
            to_half(model)
    mean, scale = look.peeled(peeled)
    facts = ModelFacts(
        kind="expression",
        input=InputFacts(
            name=INPUT,
            height=network.height,
            width=network.width,
            colour=look.colour,
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
        original=look.probabilities,
        description={**_description(file, facts), "parameters": f"{learnt:,}"},
        operators=(dict(before), dict(operators(model))),
        notes=[f"names of the classes and their order: of {named_by}", *look.notes()],
    )


class _Look:
    """How a network sees faces and what it answers, by its file and by what the user says.

    Attributes:
        colour: of its input.
        mean, scale: the network is fed with `(pixel - mean) * scale`; a value a channel.
        ending: what its answers are.

    Raises:
        BadInput: what the user says cannot be of this network.
    """

    def __init__(self, network: KerasNetwork, options: Options, scaled_inside: bool) -> None:
        self._network, self._options, self._inside = network, options, scaled_inside
        self.colour = _colour(options, network.channels)
        self.mean, self.scale = pixel_scaling(options, scaled_inside, network.channels)
        shape = (4, network.height, network.width, network.channels)
        self.ending = ending_of(
            self._answers(np.random.default_rng(0).uniform(0, 255, shape).astype(np.float32)),
            network.activation,
        )

    def probabilities(self, pixels: Floats) -> Floats:
        """The Keras model from pixels `(n, h, w, c)`, 0-255, to probabilities `(n, classes)`."""
        return as_probabilities(self._answers(pixels), self.ending)

    def judged(self) -> tuple[str, str] | None:
        """See `orders.judge`; None for other classes than the seven."""
        images, network = self._options.images, self._network
        if images is None or network.classes != len(FER2013_LABELS):
            return None

        def answers(faces: list[Image]) -> Floats:
            seen = [resized_face(face, network.height, network.width) for face in faces]
            return self.probabilities(face_pixels(seen, self.colour))

        return judge(answers, labelled_faces(images))

    def peeled(
        self, peeled: tuple[list[float], list[float]] | None
    ) -> tuple[tuple[float, ...], tuple[float, ...]]:
        """Mean and scale for the facts, with what was taken off the network's beginning."""
        means, scales = self.mean, self.scale
        if peeled is not None:
            inner_mean, inner_scale = (np.array(values) for values in peeled)
            # ((p - mean) * scale - inner_mean) * inner_scale, as one mean and one scale.
            means, scales = means + inner_mean / scales, scales * inner_scale
        return tuple(map(_tidy, means)), tuple(map(_tidy, scales))

    def notes(self) -> list[str]:
        """What had to be guessed, and what was put behind the network."""
        notes = []
        told = self._inside or self._options.input_range or self._options.mean
        if not told and self._options.scale is None:
            low, high = DEFAULT_RANGE
            notes.append(
                f"the model does not say how it wants its pixels; taken as {low:g} to {high:g} "
                "(--input-range=0,1 changes it, or --mean and --scale)"
            )
        if self.ending == "shares":
            notes.append(
                f"the model ends in {self._network.activation}, a value for each class by itself; "
                "they are divided by their sum"
            )
        return notes

    def _answers(self, pixels: Floats) -> Floats:
        scaled = (pixels - self.mean) * self.scale
        return np.asarray(self._network.predict(scaled.astype(np.float32)), np.float32)


def _colour(options: Options, channels: int) -> Colour:
    if channels == 1:
        if options.colour is not None:
            raise BadInput("takes gray pictures, for which --colour changes nothing; leave it out")
        return "gray"
    return "bgr" if options.colour == "bgr" else "rgb"


def pixel_scaling(
    options: Options, scaled_inside: bool, channels: int
) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """(mean, scale), a value a channel, that bring pixels into the range the model expects.

    Raises:
        BadInput: three values for gray pictures.
    """
    for values in (options.mean, options.scale):
        if values is not None and len(values) > channels:
            raise BadInput("takes gray pictures: give --mean and --scale one number")
    if options.mean is not None or options.scale is not None:
        mean, scale = options.mean or (0.0,), options.scale or (1.0,)
    else:
        low, high = options.input_range or ((0.0, 255.0) if scaled_inside else DEFAULT_RANGE)
        scale = ((high - low) / 255,)
        mean = (-low / scale[0],)
    return np.resize(mean, channels).astype(float), np.resize(scale, channels).astype(float)


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


def _description(file: KerasFile, facts: ModelFacts) -> dict[str, str]:
    see = facts.input
    return {
        "network": f"expression model of Keras {file.version}",
        "input": f"{see.width}x{see.height} {see.colour}, "
        f"(pixel - {see.mean[0]:g}) * {see.scale[0]:.6g}",
        "classes": ", ".join(facts.labels),
    }
