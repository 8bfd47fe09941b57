"""Compares trackers on rendered sequences whose truth is exact.

    python -m fer_edge.benchmarks.tracking --photos photos -o tracking.json

writes `tracking.json` and `tracking.png`. Detections are the true boxes, so that trackers are
compared and not a detector; all trackers detect in the same frames. With `--detector` accuracy is
that of the trackers behind a real one: two detectors are compared by two reports. `--only`
measures some parts anew and keeps the others of an existing report.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Any

from rich.console import Console

from fer_edge.engine.config import PipelineConfig
from fer_edge.engine.detector import FindFaces
from fer_edge.engine.errors import BadInput, FerError
from fer_edge.engine.stages import open_stages

from .material import cut_heads, read_photographs
from .metrics import Score, score
from .notice import watch
from .otb import read_otb
from .plot import draw
from .report import figures, new_report, show, write
from .runs import TRACKERS, follow
from .sequences import KINDS, make_sequences
from .sequences import Sequence as Video
from .speed import measure

PARTS = ("speed", "accuracy", "notice")
REFERENCE = "opencv plain"
NOTICE_KINDS = ["occlusion", "cut", "leaving", "walk", "turn", "light", "noise", "blur", "partial"]


def build_parser() -> argparse.ArgumentParser:
    """The options."""
    parser = argparse.ArgumentParser(
        prog="python -m fer_edge.benchmarks.tracking",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--photos", type=Path, metavar="DIR", help="more photographs with faces")
    parser.add_argument(
        "--otb", type=Path, nargs="*", default=[], metavar="DIR", help="real sequences"
    )
    parser.add_argument("--trackers", default=",".join(TRACKERS), help="(default: all)")
    parser.add_argument("--kinds", default=",".join(KINDS), help="classes (default: all)")
    parser.add_argument("--every", default="10,30", help="intervals of detection (10,30)")
    parser.add_argument("--fps", default="30,15", help="frames a second of motion (30,15)")
    parser.add_argument("--seeds", type=int, default=2, help="videos a class and rate (2)")
    parser.add_argument("--seconds", type=float, default=3.0, help="of each video (3)")
    parser.add_argument("--jitter", type=float, default=0.0, help="of detections, in box sides (0)")
    parser.add_argument(
        "--detector", metavar="NAME|FILE", help="as for fer-run (default: the true boxes)"
    )
    parser.add_argument("--faces", default="1,2,4,8,16", help="numbers to time (1,2,4,8,16)")
    parser.add_argument("--frames", type=int, default=150, help="updates to time (150)")
    parser.add_argument("--only", default=",".join(PARTS), help=f"some of {', '.join(PARTS)}")
    parser.add_argument(
        "-o", "--output", type=Path, metavar="JSON", help="report; the plot beside it"
    )
    return parser


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure, print and write; 2 after an error that it explained."""
    args = build_parser().parse_args(arguments)
    try:
        report = _measure(args)
        if args.output:
            write(report, args.output)
            if "accuracy" in report:
                draw(report, args.output.with_suffix(".png"))
        show(report, Console(width=110))
    except FerError as error:
        print(f"tracking: error: {error}", file=sys.stderr)
        return 2
    return 0


def _measure(args: argparse.Namespace) -> dict[str, Any]:
    names = _chosen(args.trackers, TRACKERS)
    parts = _chosen(args.only, PARTS)
    report: dict[str, Any] = {}
    if args.output and args.output.is_file():
        report = json.loads(args.output.read_text())
    keys = ("kinds", "every", "fps", "seeds", "seconds", "jitter", "detector")
    report |= new_report({key: getattr(args, key) for key in keys})
    if "speed" in parts:
        report["speed"] = list(_speed(args, names))
    if "accuracy" in parts:
        report["accuracy"] = _accuracy(args, names)
    if "notice" in parts:
        report["notice"] = _notice(args, [name for name in names if name not in ("2019", "none")])
    return report


def _videos(args: argparse.Namespace, kinds: list[str], seeds: int) -> Iterator[Video]:
    photographs = read_photographs(args.photos)
    rates = [float(word) for word in args.fps.split(",")]
    heads = cut_heads(photographs)
    yield from make_sequences(photographs, heads, kinds, rates, seeds, args.seconds)


def _speed(args: argparse.Namespace, names: list[str]) -> Iterator[dict[str, Any]]:
    photographs = read_photographs(args.photos)
    timed = [name for name in names if name != "none"]
    if REFERENCE not in timed:
        timed.append(REFERENCE)
    for count in (int(word) for word in args.faces.split(",")):
        kind = f"crowd {count}"
        (video,) = make_sequences(photographs, cut_heads(photographs), [kind], [30.0], 1, 1.0)
        yield from (asdict(row) for row in measure(video, timed, args.frames, REFERENCE))


def _accuracy(args: argparse.Namespace, names: list[str]) -> dict[str, Any]:
    intervals = [int(word) for word in args.every.split(",")]
    totals: dict[tuple[str, int], dict[str, Score]] = {
        (name, every): {} for name in names for every in intervals
    }
    with _detector(args.detector) as detector:
        for video in _all_videos(args):
            for (name, every), kinds in totals.items():
                run = follow(video, TRACKERS[name](), every, args.jitter, detector=detector)
                result = score(video.truth, run.answers)
                kinds[video.kind] = kinds[video.kind] + result if video.kind in kinds else result
    return {
        name: {
            str(every): {kind: figures(result) for kind, result in totals[name, every].items()}
            for every in intervals
        }
        for name in names
    }


@contextmanager
def _detector(name: str | None) -> Iterator[FindFaces | None]:
    if name is None:
        yield None
        return
    with open_stages(PipelineConfig(detector=name, classify=False)) as stages:
        yield stages.detector


def _all_videos(args: argparse.Namespace) -> Iterator[Video]:
    yield from _videos(args, _chosen(args.kinds, KINDS), args.seeds)
    for folder in args.otb:
        yield read_otb(folder)


def _notice(args: argparse.Namespace, names: list[str]) -> dict[str, Any]:
    found: dict[str, Any] = {
        name: {"delays": [], "false_losses": 0, "in_view": 0} for name in names
    }
    kinds = [kind for kind in NOTICE_KINDS if kind in _chosen(args.kinds, KINDS)]
    # Few faces are hidden in a video: so take more of them.
    for video in _videos(args, kinds, 3 * args.seeds):
        for name, row in found.items():
            notice = watch(video, TRACKERS[name]())
            row["delays"] += notice.delays
            row["false_losses"] += notice.false_losses
            row["in_view"] += notice.in_view
    for row in found.values():
        soon = sum(0 <= delay <= 5 for delay in row["delays"])
        row["within_5"] = soon / max(len(row["delays"]), 1)
    return found


def _chosen(text: str, known: Sequence[str] | dict[str, Any]) -> list[str]:
    words = text.split(",")
    for word in words:
        if word not in known:
            raise BadInput(f"{word!r} is unknown; there are {', '.join(known)}")
    return words


if __name__ == "__main__":
    sys.exit(main())
