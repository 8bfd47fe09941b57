"""`fer-convert`: the command line of the converter."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from fer_edge.engine.errors import BackendUnavailable, BadInput, FerError

EPILOG = """\
examples:
  fer-convert frozen_inference_graph.pb -o detector.onnx
  fer-convert expressions.h5 -o expression.onnx --precision fp16
  fer-convert emotions.keras --labels calm,angry,happy --input-range=0,1

It looks at the file to tell what it is, checks every layer or operator against an
allow-list, and compares the result with the original in TensorFlow before it is kept.
"""


def build_parser() -> argparse.ArgumentParser:
    """The options of `fer-convert`."""
    parser = argparse.ArgumentParser(
        prog="fer-convert",
        description="Convert a frozen SSD detector or a Keras expression model to ONNX.",
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("input", type=Path, metavar="INPUT", help="frozen graph (.pb), .h5, .keras")
    parser.add_argument(
        "-o", "--output", type=Path, metavar="ONNX", help="default: INPUT with .onnx at its end"
    )
    parser.add_argument(
        "--precision",
        default="fp32",
        help="fp32 (default), or fp16: weights and arithmetic in half",
    )
    parser.add_argument(
        "--labels",
        metavar="NAMES",
        help="a,b,c, a text file with one a line, or a .pbtxt label map",
    )
    parser.add_argument(
        "--images", type=Path, metavar="DIR", help="pictures for the parity check (default: made)"
    )
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the report there too")
    parser.add_argument("--quiet", action="store_true", help="say nothing unless it fails")
    detectors = parser.add_argument_group("detectors")
    detectors.add_argument(
        "--top-k", type=int, default=200, metavar="K", help="boxes left for suppression (200)"
    )
    faces = parser.add_argument_group("expression models")
    faces.add_argument(
        "--input-range",
        metavar="LOW,HIGH",
        help="what pixels 0 and 255 become; write --input-range=-1,1 "
        "(default: the model's own scaling, or -1,1)",
    )
    faces.add_argument("--input-size", metavar="HxW", help="for models that leave it open")
    faces.add_argument(
        "--crop-scale",
        type=float,
        default=1.1,
        metavar="S",
        help="side of the square crop over the longer side of the face box (1.1)",
    )
    return parser


def main(arguments: Sequence[str] | None = None) -> int:
    """Run `fer-convert`.

    Returns:
        The exit status: 0, 2 after an error it explained, 130 after Ctrl-C.
    """
    args = build_parser().parse_args(arguments)
    try:
        return _convert(args)
    except FerError as error:
        print(f"fer-convert: error: {_one_line(error)}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("fer-convert: interrupted; nothing was written", file=sys.stderr)
        return 130


def _one_line(error: FerError) -> str:
    return " ".join(str(error).split())


def _convert(args: argparse.Namespace) -> int:
    from .inspect import identify

    kind = identify(args.input)
    output = args.output or args.input.with_suffix(".onnx")
    if output.resolve() == args.input.resolve():
        raise BadInput(f"{output}: is the input itself; give another name with -o")
    if args.json and args.json.resolve() in (output.resolve(), args.input.resolve()):
        raise BadInput(f"{args.json}: is the input or the output; give --json another name")
    # Late: TensorFlow takes seconds to import.
    try:
        from .convert import convert
    except ModuleNotFoundError as error:
        raise BackendUnavailable(
            f"{error.name} is not installed: pip install 'fer-edge[convert]'"
        ) from error

    convert(args, kind, output)
    return 0


if __name__ == "__main__":
    sys.exit(main())
