"""One conversion from file to file, parity check included."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from time import perf_counter

from fer_edge.engine.backends import open_backend
from fer_edge.engine.backends.exact import Exact
from fer_edge.engine.errors import BadInput, ParityError
from fer_edge.engine.model import FaceFrame
from fer_edge.engine.outputs import PendingFile
from fer_edge.engine.sources.listing import find_images
from fer_edge.engine.tolerances import TOLERANCES

from .calibration import calibration_inputs
from .conversion import Conversion, Options, Step, write
from .detector import convert_detector
from .expression import convert_expression
from .facts import read_labels
from .images import parity_faces, parity_images
from .inspect import Kind
from .onnx_detectors.conversion import convert_onnx_detector
from .parity import Parity, compare_detectors, compare_expressions
from .quantisation import quantised
from .report import make_step, print_table, write_json


def convert(args: argparse.Namespace, kind: Kind, output: Path) -> None:
    """Carry out parsed options of `fer-convert`.

    Raises:
        FerError: the input cannot be converted, the output not written, or the result
            differs from the original; nothing is left under the output's name then.
    """
    started = perf_counter()
    options = options_from(args)
    step = make_step(args.quiet)
    # What the user asked for is looked at before the long part, not behind it.
    if args.images:
        find_images(args.images, recursive=True)
    with ExitStack() as outputs:
        pending = outputs.enter_context(PendingFile(output))
        if pending.stream:
            raise BadInput(f"{output}: is no file; a model is checked before it is kept")
        report = outputs.enter_context(PendingFile(args.json)) if args.json else None
        steps: dict[Kind, Callable[[Path, Options, Step], Conversion]] = {
            "frozen_graph": convert_detector,
            "keras": convert_expression,
            "onnx_detector": convert_onnx_detector,
        }
        conversion = steps[kind](args.input, options, step)
        if options.calibrate is not None:
            with step("measuring ranges and sensitivities for int8"):
                inputs = calibration_inputs(options.calibrate, conversion.facts)
                conversion = quantised(conversion, inputs)
        with step("writing and checking the file"), pending.writing():
            write(conversion, pending.path)
        with step("comparing it with the original"):
            parity = check_parity(conversion, pending.path, args.images)
        seconds = perf_counter() - started
        if report:
            write_json(conversion, parity, pending, seconds, report)
    if not args.quiet:
        print_table(conversion, parity, output, seconds)


def check_parity(conversion: Conversion, path: Path, images: Path | None) -> Parity:
    """Hold the file at `path` against the original.

    Raises:
        ParityError: out of tolerance.
    """
    tolerance = TOLERANCES[conversion.facts.precision]
    with Exact(open_backend(path, "onnxruntime")) as backend:
        parity: Parity
        if conversion.facts.kind == "detector":
            pictures = parity_images(images)
            parity = compare_detectors(conversion.original, backend, pictures, tolerance)
        else:
            see = conversion.facts.input
            faces = parity_faces(images, see.height, see.width)
            parity = compare_expressions(conversion.original, backend, faces)
    try:
        parity.check(tolerance)
    except ParityError as error:
        raise ParityError(f"{conversion.facts.source_name}: not converted: {error}") from error
    return parity


def options_from(args: argparse.Namespace) -> Options:
    """The options out of the command line's.

    Raises:
        BadInput: a value that cannot be read.
    """
    return Options(
        precision=args.precision or "fp32",
        calibrate=args.calibrate,
        labels=read_labels(args.labels) if args.labels else None,
        top_k=args.top_k,
        score=args.score,
        iou=args.iou,
        input_range=_pair(args.input_range, ",", float, "--input-range=-1,1"),
        order=args.order,
        colour=args.colour,
        mean=_numbers(args.mean, "--mean"),
        scale=_numbers(args.scale, "--scale"),
        images=args.images,
        input_size=_pair(args.input_size, "x", int, "--input-size 48x48"),
        crop_scale=args.crop_scale,
        min_confidence=args.min_confidence,
        face_frame=FaceFrame.parse(args.face_frame) if args.face_frame else None,
    )


def _numbers(text: str | None, option: str) -> tuple[float, ...] | None:
    if text is None:
        return None
    try:
        return tuple(float(part) for part in text.split(","))
    except ValueError as error:
        raise BadInput(f"{option} {text}: give a number, or three parted by commas") from error


def _pair(text: str | None, sign: str, kind: type, example: str):  # type: ignore[no-untyped-def]
    if text is None:
        return None
    try:
        first, second = (kind(part) for part in text.split(sign))
    except ValueError as error:
        raise BadInput(f"{text!r}: give it as {example}") from error
    return first, second
