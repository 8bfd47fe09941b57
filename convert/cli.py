"""`fer-convert`: the command line of the converter."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from fer_edge.engine.command import run_command
from fer_edge.engine.errors import BackendUnavailable, BadInput
from fer_edge.engine.places import check_apart
from fer_edge.engine.signals import interrupting
from fer_edge.engine.tensorrt.options import Size, parse_sizes

EPILOG = """\
examples:
  fer-convert frozen_inference_graph.pb -o detector.onnx
  fer-convert expressions.h5 --order fer2013 -o expression.onnx --precision fp16
  fer-convert emotions.keras --labels calm,angry,happy --input-range=0,1
  fer-convert vggface.h5 --order alphabetical --colour bgr --mean 91.5,103.9,131.1
  fer-convert centerface.onnx -o detector.onnx --precision fp16
  fer-convert detector.onnx --target tensorrt-rtx --sm 86,89,120 --size 320x256,640x480

It looks at the file to tell what it is, checks every layer or operator against an
allow-list, and compares the result with the original before it is kept. Of ONNX face
detectors it takes CenterFace, YuNet and RetinaFace with priors.
"""

_OF_FACES = ("input_range", "order", "colour", "mean", "scale", "crop_scale")
# What each kind of input is called, and which options change nothing for it.
_KINDS = {
    "frozen_graph": ("a frozen graph", ("iou", "input_size", *_OF_FACES)),
    "onnx_detector": ("an ONNX detector", _OF_FACES),
    "keras": ("a Keras model", ("score", "iou", "face_frame")),
    "onnx": (
        "a file that was converted already",
        ("score", "iou", "face_frame", "labels", "input_size", "calibrate", "images", *_OF_FACES),
    ),
}

_FOR_ENGINES = (
    "size", "sm", "batch", "workspace", "timing_cache", "version_compatible",
    "hardware_compatible",
)  # fmt: skip


def build_parser() -> argparse.ArgumentParser:
    """The options of `fer-convert`."""
    parser = argparse.ArgumentParser(
        prog="fer-convert",
        description="Convert a face detector (frozen SSD graph, ONNX) or a Keras expression "
        "model to an ONNX file that fer-run takes, and on to a TensorRT engine.",
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "input",
        type=Path,
        metavar="INPUT",
        help="frozen graph (.pb), .onnx detector, .h5, .keras; for engines also an .onnx of "
        "fer-convert",
    )
    parser.add_argument(
        "-o",
        "--output",
        type=Path,
        metavar="FILE",
        help="default: INPUT with .onnx or .engine at its end; must differ from INPUT",
    )
    parser.add_argument(
        "--precision",
        help="fp32 (default), fp16, or int8 with --calibrate; that of an .onnx is kept",
    )
    parser.add_argument(
        "--calibrate",
        type=Path,
        metavar="PICTURES",
        help="folder of images, or a video, by which int8 measures ranges; 100 or more",
    )
    parser.add_argument(
        "--target",
        default="onnx",
        choices=("onnx", "tensorrt", "tensorrt-rtx"),
        help="onnx (default), or an engine, with the ONNX file it is built from beside it",
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
    detectors.add_argument(
        "--score",
        type=float,
        metavar="S",
        help="what a face has to score (default: 0.5, for YuNet 0.65)",
    )
    detectors.add_argument(
        "--iou",
        type=float,
        metavar="S",
        help="overlap at which the weaker of two boxes goes, for ONNX detectors "
        "(default: 0.3, for RetinaFace 0.4)",
    )
    detectors.add_argument(
        "--face-frame",
        metavar="W,H,X,Y",
        help="how its boxes lie on FER2013's pictures, as models/detectors/face_frame.py "
        "measures it (default: known of CenterFace and YuNet)",
    )
    faces = parser.add_argument_group("expression models")
    faces.add_argument(
        "--input-range",
        metavar="LOW,HIGH",
        help="what pixels 0 and 255 become; write --input-range=-1,1 "
        "(default: the model's own scaling, or -1,1)",
    )
    faces.add_argument(
        "--mean",
        metavar="M[,M,M]",
        help="in place of it: the model sees (pixel - M) * S, as --mean 93.6,104.8,129.2",
    )
    faces.add_argument("--scale", metavar="S[,S,S]", help="the S of that (default: 1)")
    faces.add_argument(
        "--colour", choices=("rgb", "bgr"), help="order of colours that it expects (rgb)"
    )
    faces.add_argument(
        "--order",
        choices=("fer2013", "alphabetical"),
        help="of seven expressions that neither --labels nor the file name; pictures of --images "
        "in folders named by them tell which is the better one",
    )
    faces.add_argument(
        "--input-size",
        metavar="HxW",
        help="for models that leave it open; of ONNX detectors the default size (256x320)",
    )
    faces.add_argument(
        "--crop-scale",
        type=float,
        metavar="S",
        help="side of the square crop over the longer side of the face box "
        "(default: what FER2013's faces need, by the face frame of the detector, or else 1.1)",
    )
    faces.add_argument(
        "--min-confidence",
        type=float,
        metavar="P",
        help="probability from which on an expression is told, 0-1 (default: what fer-train wrote "
        "into the file, or 0)",
    )
    _add_engine_options(parser.add_argument_group("engines"))
    return parser


def _add_engine_options(engines: argparse._ArgumentGroup) -> None:
    engines.add_argument(
        "--sm",
        metavar="LIST",
        help="GPUs to build for, as 86,89,120; TensorRT-RTX only (default: the GPU at hand)",
    )
    engines.add_argument(
        "--size",
        metavar="LIST",
        help="inputs to build for, as 320x256,640x480, an engine each; for detectors whose size "
        "is open (default: their own)",
    )
    engines.add_argument(
        "--batch", metavar="MIN:OPT:MAX", help="faces at once, for expression models (1:4:16)"
    )
    engines.add_argument(
        "--workspace", type=int, metavar="MIB", help="most scratch memory of a layer"
    )
    engines.add_argument(
        "--timing-cache", type=Path, metavar="FILE", help="makes the next build quicker; TensorRT"
    )
    engines.add_argument(
        "--version-compatible",
        action="store_true",
        help="for newer versions and the lean runtime too; TensorRT",
    )
    engines.add_argument(
        "--hardware-compatible", action="store_true", help="for newer GPUs too; TensorRT"
    )


def main(arguments: Sequence[str] | None = None) -> int:
    """Run `fer-convert`.

    Returns:
        The exit status: 0, 2 after an error it explained, 130 after Ctrl-C.
    """

    def body() -> int:
        return _convert(build_parser().parse_args(arguments))

    with interrupting():
        return run_command("fer-convert", body, "interrupted; nothing was written")


def _convert(args: argparse.Namespace) -> int:
    from .inspect import identify

    kind = identify(args.input)
    _check_options(args, kind)
    engine = args.target != "onnx"
    if kind == "onnx" and not engine:
        raise BadInput(
            f"{args.input}: is an ONNX file already; convert the original to change it, or make "
            "an engine of it with --target"
        )
    output = args.output or args.input.with_suffix(".engine" if engine else ".onnx")
    if engine and output.suffix == ".onnx":
        raise BadInput(f"{output}: give the engine a name that does not end in .onnx")
    idle = [] if engine else [name for name in _FOR_ENGINES if getattr(args, name)]
    if idle:
        flag = idle[0].replace("_", "-")
        raise BadInput(f"--{flag} is for engines: give --target too, or leave it out")
    outputs = _outputs(output, args.size)
    onnx = args.input if kind == "onnx" else output.with_suffix(".onnx")
    _check_names(args, {*outputs.values()} | ({onnx} if kind != "onnx" else set()))
    # Late: TensorFlow takes seconds to import.
    try:
        from .convert import convert
        from .report import make_step
        from .tensorrt.command import build, check_source, engine_options, prepare
    except ModuleNotFoundError as error:
        raise BackendUnavailable(
            f"{error.name} is not installed: pip install 'fer-edge[convert]'"
        ) from error

    # What an engine needs is looked at before the long part, not behind it.
    job = prepare(engine_options(args)) if engine else None
    if kind == "onnx":
        check_source(onnx, args.precision)
    else:
        convert(args, kind, onnx)
    if job is not None:
        build(job, onnx, outputs, make_step(args.quiet), args.quiet)
    return 0


def _outputs(output: Path, sizes: str | None) -> dict[Size | None, Path]:
    """A name for each size; each of several has its size in it."""
    if sizes is None:
        return {None: output}
    parsed = parse_sizes(sizes)
    if len(parsed) == 1:
        return {parsed[0]: output}
    return {(w, h): output.with_stem(f"{output.stem}-{w}x{h}") for w, h in parsed}


def _check_options(args: argparse.Namespace, kind: str) -> None:
    name, idle = _KINDS[kind]
    given = [option for option in idle if getattr(args, option) is not None]
    if given:
        flag = given[0].replace("_", "-")
        raise BadInput(f"{args.input}: is {name}, for which --{flag} changes nothing; leave it out")


def _check_names(args: argparse.Namespace, outputs: set[Path]) -> None:
    # Late: OpenCV, for what is a picture, takes longer to import than --help may take.
    from fer_edge.engine.sources import files_of

    read = [args.input, Path(args.labels or "")]
    for pictures in (args.images, args.calibrate):
        read += files_of(str(pictures or ""))
    check_apart([*outputs, args.json], read)


if __name__ == "__main__":
    sys.exit(main())
