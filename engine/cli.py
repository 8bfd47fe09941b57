"""`fer-run`: the command line of the runtime."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from functools import partial
from pathlib import Path

from .command import run_command
from .cores import cores
from .errors import BadInput
from .signals import ending_at_once

MONITOR_OPTIONS = ("token", "media", "rules", "data", "keep", "keep_size")

EPILOG = """\
examples:
  fer-run                                         the built-in demo
  fer-run --camera 0 --show                       a camera in a window
  fer-run talk.mp4 --save out.mp4 --jsonl out.jsonl
  fer-run --source 'photos/*.jpg' --csv faces.csv
  fer-run --source recordings --jsonl out.jsonl   a folder of videos: out-NAME.jsonl for each

What it says about a face is a guess from pixels, not what the person feels.
Inferring emotions at work and in education is prohibited in the EU
(AI Act, Art. 5(1)(f)).
"""


def build_parser() -> argparse.ArgumentParser:
    """The options of `fer-run`."""
    parser = argparse.ArgumentParser(
        prog="fer-run",
        description="Detect faces, follow them, and name their expressions.",
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    _add_source_options(parser)

    models = parser.add_argument_group("models")
    models.add_argument(
        "--detector",
        default="default",
        metavar="NAME|FILE",
        help="default, lite (quicker, misses more), ssd (the published one), haar (OpenCV's "
        "cascade, without scores), none (the whole picture is the face), or a file of fer-convert",
    )
    models.add_argument("--expression", type=Path, metavar="MODEL", help="default: the shipped one")
    models.add_argument(
        "--head",
        default="votes",
        help="of the expression model: votes (what people would say) or label (FER2013's)",
    )
    models.add_argument("--no-expression", action="store_true", help="find faces only")
    models.add_argument("--backend", default="auto", help="auto, openvino, onnxruntime or tensorrt")
    models.add_argument(
        "--device",
        default="auto",
        metavar="NAME",
        help="auto (the quickest), cpu, gpu, npu, or AUTO, with which OpenVINO chooses",
    )
    models.add_argument(
        "--threads", type=int, default=0, metavar="N", help="of the CPU (default: the best number)"
    )
    models.add_argument(
        "--precision",
        default="auto",
        metavar="NAME",
        help="auto (the quickest whose answers agree), fp32 for the plain one, bf16, fp16 or int8",
    )
    models.add_argument(
        "--measure",
        action="store_true",
        help="measure again which of these is the quickest, for up to 20 s a model; the first run "
        "does it in 1.5 s in all",
    )
    models.add_argument(
        "--list-backends",
        action="store_true",
        help="say what is installed, what the models run on and why, and exit",
    )

    how = parser.add_argument_group("detection and tracking")
    how.add_argument(
        "--detect-every",
        default="10",
        metavar="N",
        help="frames from one detection to the next, or auto: as drift asks for (default: 10)",
    )
    how.add_argument(
        "--classify-every",
        type=int,
        default=1,
        metavar="K",
        help="frames from one classification of a face to the next, its last answer standing in "
        "between (default: 1)",
    )
    how.add_argument(
        "--async",
        dest="background",
        action=argparse.BooleanOptionalAction,
        help="detect beside the loop, so that no frame waits; default for live sources",
    )
    how.add_argument(
        "--tracker",
        default="kcf",
        help="between detections: kcf (default), opencv, or none to let boxes rest",
    )
    how.add_argument(
        "--max-age",
        type=float,
        default=2.0,
        metavar="S",
        help="seconds that a face out of view keeps its id (default: 2)",
    )
    how.add_argument(
        "--smooth",
        type=float,
        default=0.3,
        metavar="S",
        help="time constant of the expressions in seconds, 0 for none (default: 0.3)",
    )
    how.add_argument(
        "--min-confidence",
        type=float,
        metavar="P",
        help="probability from which on an expression is told, 0-1; below it the face is unsure "
        "(default: the model's own)",
    )
    how.add_argument(
        "--min-score", type=float, metavar="S", help="of a face, 0-1 (default: the detector's own)"
    )
    how.add_argument(
        "--min-face",
        default="5%",
        metavar="SIZE",
        help="how small a face must be found: pixels, or percent of the frame's shorter side; "
        "smaller takes longer (default: 5%%)",
    )
    how.add_argument(
        "--detect-size",
        metavar="WxH",
        help="size of the detector's input in place of that, in steps of 32 (320x256)",
    )

    out = parser.add_argument_group("results")
    out.add_argument(
        "--save",
        type=Path,
        metavar="VIDEO",
        help="annotated video (.mp4 .mkv .webm .avi; - is Matroska on standard output)",
    )
    out.add_argument(
        "--no-audio", action="store_true", help="--save without the sound of the source's file"
    )
    out.add_argument(
        "--encoder",
        default="auto",
        metavar="NAME",
        help="of --save: auto (libx264), h264_nvenc, h264_qsv or h264_v4l2m2m",
    )
    out.add_argument(
        "--jsonl", type=Path, metavar="FILE", help="one JSON object a frame; - for stdout"
    )
    out.add_argument(
        "--raw", action="store_true", help="--jsonl with the probabilities before --smooth"
    )
    out.add_argument("--csv", type=Path, metavar="FILE", help="one row a face")
    out.add_argument(
        "--trace", type=Path, metavar="FILE", help="time of each stage, for Perfetto or Chrome"
    )
    out.add_argument("--show", action="store_true", help="window; q quits")
    out.add_argument(
        "--blur",
        action="store_true",
        help="hide faces in --save, --show and --serve; every frame is then detected in",
    )
    out.add_argument(
        "--landmarks",
        action="store_true",
        help="draw eyes, nose and mouth in --save and --show; not with --blur",
    )
    out.add_argument("--quiet", action="store_true", help="no progress, no summary")
    out.add_argument("--version", action="store_true", help="print the version, and exit")
    _add_monitor_options(parser)
    return parser


def _add_source_options(parser: argparse.ArgumentParser) -> None:
    source = parser.add_argument_group("source (default: the built-in demo)")
    source.add_argument("sources", nargs="*", metavar="SOURCE", help="the same as --source")
    which = source.add_mutually_exclusive_group()
    which.add_argument("--camera", type=int, metavar="N", help="number of a camera")
    which.add_argument(
        "--source",
        metavar="URI",
        action="append",
        help="video, image, folder or glob of either, RTSP or HTTP URL, camera:N, or demo; "
        "several with --serve. Of images, rows name the file; each video of a folder without "
        "images, as talk.mp4, has results of its own, as out-talk.jsonl for --jsonl out.jsonl",
    )
    pace = source.add_mutually_exclusive_group()
    pace.add_argument(
        "--realtime",
        action="store_true",
        help="newest frame at the source's own pace; default for cameras and streams",
    )
    pace.add_argument(
        "--lossless", action="store_true", help="every frame; default for files and images"
    )
    source.add_argument(
        "--timeout",
        type=float,
        default=10.0,
        metavar="S",
        help="seconds to wait for a stream's answer and for each next picture (default: 10)",
    )
    source.add_argument(
        "--rtsp-transport",
        choices=("tcp", "udp"),
        default="tcp",
        help="what carries RTSP (default: tcp, which loses nothing)",
    )
    source.add_argument(
        "--decoder",
        choices=("cpu", "auto", "cuda", "qsv", "vaapi"),
        default="cpu",
        help="what decodes films and streams: cpu (default), other hardware by FFmpeg's name, or "
        "auto for such hardware where it is found; not tried on any",
    )
    source.add_argument(
        "--reconnect",
        type=float,
        default=30.0,
        metavar="S",
        help="open a camera or stream that fails again, after 1, 2, 4 and so on up to S seconds; "
        "0 for never (default: 30)",
    )
    source.add_argument("--recursive", action="store_true", help="folders in a folder, too")
    source.add_argument(
        "--strict",
        action="store_true",
        help="stop at the first image or video of a folder that cannot be read",
    )
    source.add_argument("--max-frames", type=int, metavar="N", help="stop after N frames")


def _add_monitor_options(parser: argparse.ArgumentParser) -> None:
    monitor = parser.add_argument_group("live monitor (pip install 'fer-edge[monitor]')")
    monitor.add_argument(
        "--serve", metavar="[HOST:]PORT", help="a page and an API; HOST is 127.0.0.1 by default"
    )
    monitor.add_argument(
        "--token",
        help="what every request must know, or FER_EDGE_TOKEN in the environment; made and "
        "printed where HOST needs one",
    )
    monitor.add_argument(
        "--media",
        type=Path,
        action="append",
        metavar="DIR",
        help="folder whose files the page may open; may be given again (default: ~/Videos)",
    )
    monitor.add_argument(
        "--rules",
        default="default",
        metavar="TOML",
        help="levels and rules: a file, or default, or driver",
    )
    monitor.add_argument(
        "--data", type=Path, metavar="DIR", help="of the history (default: ~/.local/share/fer-edge)"
    )
    monitor.add_argument(
        "--keep", default="30d", metavar="AGE", help="of the history: 12h, 7d, 4w (default: 30d)"
    )
    monitor.add_argument(
        "--keep-size", default="500MB", metavar="SIZE", help="of the history (default: 500MB)"
    )


def main(arguments: Sequence[str] | None = None) -> int:
    """Run `fer-run`; returns the exit status: 0, or 2 after an error it explained."""
    with ending_at_once("fer-run: interrupted; nothing was written"):
        return run_command("fer-run", partial(_run, arguments))


def _run(arguments: Sequence[str] | None) -> int:
    args = build_parser().parse_args(arguments)
    args.source = [*(args.source or ()), *args.sources]
    if args.version:
        return _print_version()
    if args.list_backends:
        return _print_backends(args)
    _check(args)
    # Late: OpenCV and the backend take longer to import than --help may take.
    from .run import run

    return run(args)


def _check(args: argparse.Namespace) -> None:
    if args.max_frames is not None and args.max_frames < 1:
        raise BadInput(f"--max-frames {args.max_frames}: give 1 or more")
    if args.camera is not None and args.source:
        raise BadInput(f"--camera and {args.source[0]}: give one of them")
    if not args.serve and len(args.source) > 1:
        raise BadInput("several sources need --serve; give one --source, or --serve 8080")
    if args.serve and args.trace:
        raise BadInput("--trace traces one source; leave out --serve")
    if not args.save and (args.no_audio or args.encoder != "auto"):
        raise BadInput("--no-audio and --encoder are for --save; give it, or leave them out")
    _check_idle(args)
    if args.landmarks and args.blur:
        raise BadInput("--landmarks draws nothing on blurred faces; leave it or --blur out")
    if args.threads and args.threads > cores():
        raise BadInput(f"--threads {args.threads}: there are {cores()} cores for it here")


def _check_idle(args: argparse.Namespace) -> None:
    """Refuse options without what they modify: whoever gives one counts on it."""
    parser = build_parser()
    pictures = args.save or args.show or args.serve
    for names, works, what in (
        (("raw",), args.jsonl, "--jsonl"),
        (("blur", "landmarks"), pictures, "--save, --show or --serve"),
        (MONITOR_OPTIONS, args.serve, "--serve"),
    ):
        given = [name for name in names if getattr(args, name) != parser.get_default(name)]
        if given and not works:
            flag = given[0].replace("_", "-")
            raise BadInput(f"--{flag} is for {what}, and changes nothing here; leave it out")


def _print_version() -> int:
    from importlib.metadata import version

    print(f"fer-run {version('fer-edge')}")
    return 0


def _print_backends(args: argparse.Namespace) -> int:
    from .backends import BACKENDS
    from .plans import devices_here, known_decision
    from .run import config_from

    for name, entry in BACKENDS.items():
        version = entry.installed_version()
        state = f"installed, {version}" if version else f"missing: {entry.install}"
        print(f"{name:12} {entry.use:16} {state}")
    for device in devices_here():
        print(f"{'':12} {device.backend} finds {device.describe()}")
    config = config_from(args)
    models = {"detector": config.detector_path, "expression": config.expression_path}
    for name, path in models.items():
        decision = known_decision(path, config.plan) if path is not None else None
        print(f"{name:12} {decision.describe() if decision else 'chosen when it first runs'}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
