"""`fer-train`: the command line of training, retraining and evaluation."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from functools import partial
from pathlib import Path

from fer_edge.engine.command import run_command
from fer_edge.engine.errors import BackendUnavailable
from fer_edge.engine.model import HEADS
from fer_edge.engine.signals import interrupting

EPILOG = """\
examples:
  fer-train fit fer2013.csv -o runs/fer2013
  fer-train finetune runs/fer2013/expression.keras ckplus/ -o runs/ckplus --folds 10
  fer-train evaluate runs/fer2013/expression.keras fer2013.csv -o runs/report
  fer-convert runs/fer2013/expression.keras -o expression.onnx --precision fp16

A run that was interrupted goes on when the same command is given again.
DATA is Kaggle's fer2013.csv, an .npz of FER2013 (pixels, emotion, usage), or a folder
with a folder of images for each class, also below train/, val/ and test/.
"""
_DATA = "fer2013.csv, an .npz of FER2013, or a folder with a folder a class"


def build_parser() -> argparse.ArgumentParser:
    """The options of `fer-train`."""
    parser = argparse.ArgumentParser(
        prog="fer-train",
        description="Train, retrain and evaluate the expression model.",
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    _add_fit(commands.add_parser("fit", help="train a network"))
    _add_finetune(commands.add_parser("finetune", help="teach a model another data set"))
    _add_evaluate(commands.add_parser("evaluate", help="judge models of any format"))
    return parser


def _add_fit(parser: argparse.ArgumentParser) -> None:
    parser.description = (
        "Train a network, by default alone; --config expression.json trains the shipped one and "
        "the larger ones that taught it."
    )
    parser.add_argument("data", type=Path, metavar="DATA", help=_DATA)
    _add_run(parser, "fit.json")
    parser.add_argument(
        "--architecture",
        metavar="NAME",
        help="published, plain, residual or mobilenet, with its defaults",
    )
    parser.add_argument("--crop", action="store_true", help="cut the face out of each image first")


def _add_finetune(parser: argparse.ArgumentParser) -> None:
    parser.description = (
        "Teach a Keras model another data set. The head is rebuilt when the classes differ, "
        "and a person is never on both sides of the division."
    )
    parser.add_argument("model", type=Path, metavar="MODEL", help="a .keras or .h5 file")
    parser.add_argument("data", type=Path, metavar="DATA", help=_DATA)
    _add_run(parser, "finetune.json")
    parser.add_argument(
        "--folds", type=int, metavar="K", help="cross-validate by person in place of one run"
    )
    parser.add_argument(
        "--no-crop",
        dest="crop",
        action="store_false",
        help="images are faces already; by default the detector cuts them out",
    )


def _add_run(parser: argparse.ArgumentParser, default: str) -> None:
    parser.set_defaults(shipped_config=default)
    parser.add_argument(
        "-o", "--output", type=Path, required=True, metavar="DIR", help="folder of the run"
    )
    parser.add_argument(
        "--config",
        type=Path,
        metavar="JSON",
        help="everything a run depends on: a file, or the name of a shipped one "
        f"(default: {default})",
    )
    parser.add_argument("--epochs", type=int, metavar="N", help="in place of the configuration's")
    parser.add_argument("--batch-size", type=int, metavar="N", help="the same")
    parser.add_argument("--learning-rate", type=float, metavar="R", help="the same, at its peak")
    parser.add_argument("--seed", type=int, metavar="N", help="the same")
    parser.add_argument(
        "--precision", metavar="P", help="the same: float32, mixed_bfloat16 or mixed_float16"
    )
    parser.add_argument(
        "--subject-regex",
        metavar="RE",
        help="finds the person in an image's path (default: S010 in S010_004_00000015.png)",
    )
    _add_keras(parser)
    parser.add_argument("--quiet", action="store_true", help="say nothing unless it fails")


def _add_keras(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--keras-backend",
        metavar="NAME",
        help="tensorflow, jax or torch (default: KERAS_BACKEND, or Keras' own setting)",
    )


def _add_evaluate(parser: argparse.ArgumentParser) -> None:
    parser.description = (
        "Judge a model, or several side by side: Keras, ONNX of fer-convert, or engine."
    )
    parser.add_argument("models", type=Path, metavar="MODEL", nargs="+", help="files of models")
    parser.add_argument("data", type=Path, metavar="DATA", help=_DATA)
    parser.add_argument(
        "-o", "--output", type=Path, required=True, metavar="DIR", help="folder of the report"
    )
    parser.add_argument(
        "--split", metavar="NAME", help="PublicTest, test, ... (default: the first there is)"
    )
    parser.add_argument(
        "--crop",
        metavar="DETECTOR",
        help="default, lite, ssd, haar or a file: cut faces out as fer-run does, of a folder's "
        "photographs, or of scenes that labelled faces are put into; tells what the crop costs",
    )
    parser.add_argument(
        "--labels", metavar="NAMES", help="of a Keras model's classes: a,b,c or a file"
    )
    parser.add_argument(
        "--order",
        choices=("fer2013", "alphabetical"),
        help="of the seven expressions of a model that does not name them (default: fer2013)",
    )
    parser.add_argument(
        "--input-range",
        metavar="LOW,HIGH",
        help="what pixels 0 and 255 become for a Keras model that does not scale them itself "
        "(default -1,1; write --input-range=-1,1)",
    )
    parser.add_argument(
        "--head",
        choices=HEADS,
        default="votes",
        help="of a model with two: what people would say (the default), or FER2013's label",
    )
    parser.add_argument(
        "--backend", default="auto", help="for converted models: auto, openvino or onnxruntime"
    )
    _add_keras(parser)
    parser.add_argument("--quiet", action="store_true", help="say nothing unless it fails")


def main(arguments: Sequence[str] | None = None) -> int:
    """Run `fer-train`.

    Returns:
        The exit status: 0, 2 after an error it explained, 130 after Ctrl-C.
    """
    with interrupting():
        return run_command(
            "fer-train",
            partial(_run, arguments),
            "interrupted; give the same command again to go on",
        )


def _run(arguments: Sequence[str] | None) -> int:
    args = build_parser().parse_args(arguments)
    try:
        # Late: Keras takes seconds to import.
        from . import commands

        {
            "fit": commands.fit,
            "finetune": commands.finetune,
            "evaluate": commands.evaluate_model,
        }[args.command](args)
    except ModuleNotFoundError as error:
        raise BackendUnavailable(
            f"{error.name} is not installed: pip install 'fer-edge[train]'"
        ) from error
    return 0


if __name__ == "__main__":
    sys.exit(main())
