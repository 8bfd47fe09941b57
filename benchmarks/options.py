"""What a run of fer-bench was asked to do, checked."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from fer_edge.engine.config import PipelineConfig
from fer_edge.engine.errors import BadInput
from fer_edge.engine.streams import MAX_SOURCES

from .laps import Plan

WORKLOADS = ("detect", "express", "stages", "convert")
STAGES = (
    "decode",
    "upload",
    "preprocess",
    "detect",
    "NMS",
    "track",
    "cut",
    "crop",
    "classify",
    "smooth",
    "draw",
    "sinks",
)
LEAST_REPETITIONS = 5
MOST_FACES, MOST_STREAMS, MOST_SIDE, LONGEST_INTERVAL = 64, MAX_SOURCES, 8192, 1000


@dataclass(frozen=True)
class Options:
    """A checked call of `fer-bench run`.

    Attributes:
        workloads: of `WORKLOADS`.
        faces, sizes, streams: every combination is a case.
        stages: of `STAGES`, for the workload of that name.
        detectors: names and files; each is measured over the same cases.
        intervals: frames from one detection to the next, of every program.
        config: of the pipeline; what is listed above is filled in for each case.
        precision: what must be computed in; None for any.
        source: the user's own; None for the made scene.
        decode, outputs: whether they are inside the full clock.
        plan: repetitions and their length.
        graph: the frozen graph; needed for the baseline.
        baseline, estimate: whether they are wanted.
        photos: a folder of photographs for the scene.
        trace: where to keep the spans of the last case.
    """

    workloads: tuple[str, ...]
    faces: tuple[int, ...]
    sizes: tuple[tuple[int, int], ...]
    streams: tuple[int, ...]
    stages: tuple[str, ...]
    detectors: tuple[str, ...]
    intervals: tuple[int, ...]
    config: PipelineConfig
    precision: str | None
    source: str | None
    decode: bool
    outputs: bool
    plan: Plan
    graph: Path | None
    baseline: bool
    estimate: bool
    photos: Path | None
    trace: Path | None


def options_from(args: argparse.Namespace) -> Options:
    """Check the options of `fer-bench run`.

    Raises:
        BadInput: a value that cannot be used, or two that exclude each other.
    """
    workloads = tuple(dict.fromkeys(args.workload)) or ("detect", "express")
    _known(workloads, WORKLOADS, "workload")
    stages = tuple(args.stages.split(",")) if args.stages else STAGES
    _known(stages, STAGES, "stage")
    if args.baseline and args.graph is None:
        raise BadInput(
            "--baseline runs the program of 2019 on the frozen graph: name the original .pb "
            "with --graph"
        )
    if args.source and (args.photos or args.faces):
        raise BadInput("--source brings its own faces: leave --faces and --photos out")
    if args.source and args.size:
        raise BadInput("--source has a size of its own: leave --size out")
    if args.with_outputs and args.streams:
        raise BadInput("--with-outputs writes one stream: leave --streams out")
    detectors = tuple(dict.fromkeys(args.detector.split(",")))
    intervals = _numbers(args.detect_every, "--detect-every", LONGEST_INTERVAL)
    return Options(
        workloads=workloads,
        faces=_numbers(args.faces or "1", "--faces", MOST_FACES),
        sizes=tuple(_size(text) for text in (args.size or "640x480").split(",")),
        streams=_numbers(args.streams or "1", "--streams", MOST_STREAMS),
        stages=stages,
        detectors=detectors,
        intervals=intervals,
        config=PipelineConfig(
            detector=detectors[0],
            expression=args.expression,
            backend=args.backend,
            threads=args.threads,
            precision=args.precision or "auto",
            detect_every=intervals[0],
            classify_every=args.classify_every,
            tracker=args.tracker,
        ),
        precision=args.precision,
        source=args.source,
        decode=args.with_decode,
        outputs=args.with_outputs,
        plan=_plan(args),
        graph=args.graph,
        baseline=args.baseline,
        estimate=args.estimate,
        photos=args.photos,
        trace=args.trace,
    )


def _plan(args: argparse.Namespace) -> Plan:
    if args.repetitions < LEAST_REPETITIONS:
        raise BadInput(
            f"--repetitions {args.repetitions}: give {LEAST_REPETITIONS} or more, an interval "
            "of fewer says little"
        )
    if args.frames is not None and args.frames < 1:
        raise BadInput(f"--frames {args.frames}: give 1 or more")
    if not 0 < args.seconds <= 3600:
        raise BadInput(f"--seconds {args.seconds:g}: give more than 0, up to 3600")
    return Plan(args.repetitions, args.seconds, args.frames)


def _known(names: Sequence[str], known: Sequence[str], what: str) -> None:
    for name in names:
        if name not in known:
            raise BadInput(f"no {what} {name!r}; there are {', '.join(known)}")


def _numbers(text: str, option: str, most: int) -> tuple[int, ...]:
    try:
        numbers = tuple(int(word) for word in text.split(","))
    except ValueError as error:
        raise BadInput(f"{option} {text}: give numbers with commas between, as 1,4,16") from error
    if not all(1 <= number <= most for number in numbers):
        raise BadInput(f"{option} {text}: give numbers from 1 to {most}")
    return numbers


def _size(text: str) -> tuple[int, int]:
    width, cross, height = text.partition("x")
    if not (cross and width.isdecimal() and height.isdecimal()):
        raise BadInput(f"--size {text}: give width and height in pixels, as 640x480")
    size = int(width), int(height)
    if not all(64 <= side <= MOST_SIDE for side in size):
        raise BadInput(f"--size {text}: give sides from 64 to {MOST_SIDE} pixels")
    return size
