"""`fer-bench`: the command line of the benchmark."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from functools import partial
from pathlib import Path

from fer_edge.engine.command import run_command
from fer_edge.engine.errors import BackendUnavailable
from fer_edge.engine.places import check_apart
from fer_edge.engine.signals import interrupting

from .isa import CAPS, capped, check_isa

EPILOG = """\
examples:
  fer-bench                                       detect and express, one face, 640x480
  fer-bench run express --faces 1,4,16 --size 640x480,1920x1080 --html report.html
  fer-bench run --baseline --graph frozen_inference_graph.pb --json report.json
  fer-bench run stages --stages detect,track
  fer-bench compare before.json after.json
  fer-bench accuracy default ssd --faces wider_face_val_bbx_gt.txt --plot accuracy.png
  fer-bench soak --frames 100000

Close other programs first: whatever else runs is measured too.
"""
OUTPUTS = ("json", "markdown", "html", "trace", "plot", "readme")
COMMANDS = ("run", "figures", "accuracy", "compare", "soak", "report", "readme")


def build_parser() -> argparse.ArgumentParser:
    """The options of `fer-bench`."""
    parser = argparse.ArgumentParser(
        prog="fer-bench",
        description="Measure how fast this engine is on this machine.",
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    _add_run(commands.add_parser("run", help="measure workloads; the default command"))
    _add_figures(commands.add_parser("figures", help="all that the README promises, in one run"))
    _add_accuracy(commands.add_parser("accuracy", help="how well detectors find labelled faces"))
    _add_compare(commands.add_parser("compare", help="what changed between two reports"))
    _add_soak(commands.add_parser("soak", help="does memory stay flat over a long run"))
    _add_report(commands.add_parser("report", help="show a stored report again"))
    _add_readme(commands.add_parser("readme", help="put a report into a README"))
    return parser


def _add_run(parser: argparse.ArgumentParser) -> None:
    parser.description = "Measure workloads. Every combination of the lists is a case."
    parser.add_argument(
        "workload",
        nargs="*",
        metavar="WORKLOAD",
        help="detect (detector and tracking), express (the same with expressions), stages (each "
        "by itself), convert; default: detect express",
    )
    shown = parser.add_argument_group("what the frames show")
    shown.add_argument("--faces", metavar="LIST", help="in every frame, as 1,4,16 (default: 1)")
    shown.add_argument("--size", metavar="LIST", help="as 640x480,1920x1080 (default: 640x480)")
    shown.add_argument("--photos", type=Path, metavar="DIR", help="faces from these photographs")
    shown.add_argument("--source", metavar="URI", help="your own video or images, in place of all")
    shown.add_argument(
        "--streams", metavar="LIST", help="sources of one fer-run, each with a thread, as 1,2,4"
    )
    _add_engine(parser.add_argument_group("engine"), "ssd,default")
    clock = parser.add_argument_group("clock")
    _add_repetitions(clock)
    clock.add_argument("--with-decode", action="store_true", help="decode inside the clock")
    clock.add_argument(
        "--with-outputs",
        action="store_true",
        help="write an annotated video and JSON lines inside the clock",
    )
    clock.add_argument("--stages", metavar="LIST", help="of the workload stages (default: all)")
    beside = parser.add_argument_group("beside it")
    beside.add_argument(
        "--baseline",
        action="store_true",
        help="the program of 2019 on the same frames, taking turns; needs --graph and "
        "fer-edge[convert]",
    )
    beside.add_argument("--graph", type=Path, metavar="PB", help="the original frozen face graph")
    beside.add_argument(
        "--estimate",
        action="store_true",
        help="count operations, measure this machine's ceilings, estimate a GTX 1080 Ti",
    )
    _add_outputs(parser.add_argument_group("report"))
    parser.add_argument(
        "--trace", type=Path, metavar="FILE", help="spans of the last case, for Perfetto or Chrome"
    )
    parser.add_argument("--quiet", action="store_true", help="no tables, no progress")


def _add_engine(group: argparse._ArgumentGroup, detectors: str) -> None:
    group.add_argument(
        "--detector",
        default=detectors,
        metavar="LIST",
        help="names or files as for fer-run; the published claims are verified with ssd "
        f"({detectors})",
    )
    group.add_argument("--expression", type=Path, metavar="ONNX", help="default: the shipped one")
    group.add_argument("--backend", default="auto", help="as for fer-run")
    group.add_argument(
        "--precision", metavar="P", help="as for fer-run; fail where the detector has another"
    )
    group.add_argument("--threads", type=int, default=0, metavar="N", help="as for fer-run")
    group.add_argument("--detect-every", default="10", metavar="LIST", help="frames, as 10,1 (10)")
    group.add_argument(
        "--isa",
        choices=list(CAPS),
        help="compute as a processor without more than this would: oneDNN's cap",
    )
    group.add_argument(
        "--classify-every", type=int, default=1, metavar="K", help="as for fer-run (1)"
    )
    group.add_argument("--tracker", default="kcf", help="as for fer-run")


def _add_outputs(group: argparse._ArgumentGroup) -> None:
    group.add_argument("--json", type=Path, metavar="FILE", help="everything; see schema.md")
    group.add_argument("--markdown", type=Path, metavar="FILE")
    group.add_argument(
        "--html", type=Path, metavar="FILE", help="one page with plots; needs fer-edge[bench]"
    )


def _add_repetitions(group: argparse._ArgumentGroup) -> None:
    group.add_argument("--repetitions", type=int, default=5, metavar="N", help="5 or more (5)")
    group.add_argument("--seconds", type=float, default=2.0, metavar="S", help="each (2)")
    group.add_argument("--frames", type=int, metavar="N", help="each, in place of --seconds")


def _add_figures(parser: argparse.ArgumentParser) -> None:
    parser.description = (
        "What this project promises, in one run: detect and express with the published detector "
        "and the default one, every 10th and every frame, beside the program of 2019; the cost "
        "of a detection; the demo's start and memory. About ten minutes on an idle machine."
    )
    parser.add_argument(
        "--graph",
        type=Path,
        metavar="PB",
        help="the original frozen face graph, for the program of 2019; needs fer-edge[convert]",
    )
    parser.add_argument("--isa", choices=list(CAPS), help="as for fer-bench run")
    _add_repetitions(parser.add_argument_group("clock"))
    group = parser.add_argument_group("report")
    _add_outputs(group)
    group.add_argument("--readme", type=Path, metavar="FILE", help="put the report into it, too")
    parser.add_argument("--quiet", action="store_true", help="no tables, no progress")


def _add_accuracy(parser: argparse.ArgumentParser) -> None:
    parser.description = (
        "Average precision (IoU 0.5, all faces and by size), precision and recall of detectors "
        "on labelled pictures."
    )
    parser.add_argument(
        "models",
        nargs="+",
        metavar="MODEL",
        help="a name as --detector of fer-run takes it, or a file of fer-convert",
    )
    parser.add_argument(
        "--faces",
        type=Path,
        required=True,
        metavar="LABELS",
        help="WIDER FACE's text, a folder of Pascal VOC's XML, COCO's JSON, or faces.json "
        "(its folder will do)",
    )
    parser.add_argument(
        "--images", type=Path, metavar="DIR", help="of the pictures (default: found near LABELS)"
    )
    parser.add_argument(
        "--distort",
        metavar="LIST",
        help="also how many faces of 80 pixels and more are found in distorted pictures: all, or "
        "some of tilt45,blur3,gamma3,closeup",
    )
    parser.add_argument("--backend", default="auto", help="as for fer-run")
    parser.add_argument("--precision", default="auto", metavar="P", help="as for fer-run")
    parser.add_argument("--threads", type=int, default=0, metavar="N", help="as for fer-run")
    parser.add_argument("--isa", choices=list(CAPS), help="as for fer-bench run")
    parser.add_argument("--min-face", default="5%", metavar="SIZE", help="as for fer-run (5%%)")
    parser.add_argument("--detect-size", metavar="WxH", help="as for fer-run")
    group = parser.add_argument_group("report")
    group.add_argument("--json", type=Path, metavar="FILE", help="everything; see schema.md")
    group.add_argument("--plot", type=Path, metavar="PNG", help="the curves; needs fer-edge[bench]")
    parser.add_argument("--quiet", action="store_true", help="no tables, no progress")


def _add_compare(parser: argparse.ArgumentParser) -> None:
    parser.description = "What changed between two reports, and whether it is noise."
    parser.add_argument("before", type=Path, metavar="BEFORE.json")
    parser.add_argument("after", type=Path, metavar="AFTER.json")


def _add_soak(parser: argparse.ArgumentParser) -> None:
    parser.description = "Run for a long time and watch the memory of the process."
    parser.add_argument("--frames", type=int, default=100_000, metavar="N", help="(100,000)")
    parser.add_argument("--faces", type=int, default=1, metavar="N", help="in every frame (1)")
    parser.add_argument("--size", default="640x480", metavar="WxH", help="(640x480)")
    _add_engine(parser.add_argument_group("engine"), "default")
    _add_outputs(parser.add_argument_group("report"))
    parser.add_argument("--quiet", action="store_true", help="no tables, no progress")


def _add_report(parser: argparse.ArgumentParser) -> None:
    parser.description = "Show a stored report again, in any form."
    parser.add_argument("report", type=Path, metavar="REPORT.json")
    parser.add_argument("--markdown", type=Path, metavar="FILE")
    parser.add_argument("--html", type=Path, metavar="FILE")


def _add_readme(parser: argparse.ArgumentParser) -> None:
    parser.description = (
        "Rewrite what stands between <!-- fer-bench: begin --> and <!-- fer-bench: end -->."
    )
    parser.add_argument("report", type=Path, metavar="REPORT.json")
    parser.add_argument("readme", type=Path, metavar="README.md")


def main(arguments: Sequence[str] | None = None) -> int:
    """Run `fer-bench`.

    Returns:
        The exit status: 0, 2 after an error it explained, 130 after Ctrl-C.
    """
    with interrupting():
        return run_command(
            "fer-bench",
            partial(_run, list(sys.argv[1:] if arguments is None else arguments)),
            "interrupted; finished cases are in the files asked for",
        )


def _run(words: list[str]) -> int:
    args = build_parser().parse_args(with_command(words))
    try:
        _check_names(args)
        if isa := getattr(args, "isa", None):
            check_isa(isa)
            capped(words, isa)
        # Late: OpenCV and the backends take longer to import than --help may take.
        from . import commands

        {
            "run": commands.run,
            "figures": commands.figures,
            "accuracy": commands.accuracy,
            "compare": commands.compare_reports,
            "soak": commands.soak_run,
            "report": commands.show_report,
            "readme": commands.write_readme,
        }[args.command](args, ["fer-bench", *words])
    except ModuleNotFoundError as error:
        raise BackendUnavailable(
            f"{error.name} is not installed: pip install 'fer-edge[bench]'"
        ) from error
    return 0


def with_command(words: Sequence[str]) -> list[str]:
    """The words with `run` before them where they name no command."""
    if words and (words[0] in COMMANDS or words[0] in ("-h", "--help")):
        return list(words)
    return ["run", *words]


def _check_names(args: argparse.Namespace) -> None:
    from fer_edge.engine.sources import files_of

    given = {name: value for name, value in vars(args).items() if isinstance(value, Path)}
    outputs = [given.pop(name) for name in OUTPUTS if name in given]
    sources = [str(path) for path in given.values()] + [getattr(args, "source", None) or "demo"]
    check_apart(outputs, (path for source in sources for path in files_of(source)))


if __name__ == "__main__":
    sys.exit(main())
