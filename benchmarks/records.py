"""What a report holds. These classes are its JSON schema; `schema.md` explains it to people.

Times are seconds, memory is bytes, rates are a second. Whatever changes the meaning of a
field raises `SCHEMA`.
"""

from __future__ import annotations

import json
import types
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields, is_dataclass
from math import isfinite
from pathlib import Path
from typing import Any, TypeVar, Union, get_args, get_origin, get_type_hints

from fer_edge.engine.errors import BadInput, InputNotFound
from fer_edge.engine.outputs import write_file

from .intervals import Interval

SCHEMA = 1
# With which the published claims are verified.
PUBLISHED_DETECTOR = "ssd"
Record = TypeVar("Record")


@dataclass(frozen=True)
class Machine:
    """Where it was measured.

    Attributes:
        cpu: the processor's own name.
        cores: that this process may use.
        features: of the processor that matter here, as amx_bf16.
        memory_bytes: of the machine.
        os, python: names with versions.
        gpu: name and driver, None without one that NVML sees.
        libraries: name to version.
    """

    cpu: str
    cores: int
    features: list[str]
    memory_bytes: int
    os: str
    python: str
    gpu: str | None
    libraries: dict[str, str]


@dataclass(frozen=True)
class Lap:
    """One repetition.

    Attributes:
        frames: results in it, of all streams.
        elapsed_s: full clock, from before the first frame was fetched to the last result.
        in_hand_s: the published program's clock: sum over frames, from frame in hand to
            result in hand; None where streams share it.
        cpu_s: processor time of the whole process, all threads.
    """

    frames: int
    elapsed_s: float
    in_hand_s: float | None
    cpu_s: float


@dataclass(frozen=True)
class Times:
    """Frame times of all repetitions together.

    Attributes:
        samples: how many.
        mean_s, worst_s: observed.
        p50_s, p90_s, p99_s: early-stopping estimates (`intervals.percentile_estimate`);
            None with too few samples.
    """

    samples: int
    mean_s: float
    worst_s: float
    p50_s: float | None
    p90_s: float | None
    p99_s: float | None


@dataclass(frozen=True)
class Histogram:
    """Counts between edges; the last bin holds everything above."""

    edges_s: list[float]
    counts: list[int]


@dataclass(frozen=True)
class Seen:
    """Faces in the results, a frame: mean, least and most."""

    mean: float
    least: int
    most: int


@dataclass(frozen=True)
class Contestant:
    """One program over one case.

    Attributes:
        name: `fer-edge`, `2019` or `2019 haar`.
        about: what ran: precision, device, versions.
        laps: the repetitions.
        fps: frames over elapsed time, full clock.
        fps_in_hand: the same on the published program's clock.
        times: full clock; of a tick of all streams where there are several.
        in_hand: published clock.
        detecting, tracking: full clock, frames that detected and frames that did not.
        histogram: of `times`.
        faces: in the results.
        cores_busy: processor time over elapsed time.
    """

    name: str
    about: str
    laps: list[Lap]
    fps: Interval
    fps_in_hand: Interval | None
    times: Times
    in_hand: Times | None
    detecting: Times | None
    tracking: Times | None
    histogram: Histogram
    faces: Seen
    cores_busy: float


@dataclass(frozen=True)
class Ratio:
    """fer-edge over another contestant of the same case, lap by lap.

    Attributes:
        over: name of the other.
        fps, fps_in_hand: on either clock.
    """

    over: str
    fps: Interval
    fps_in_hand: Interval | None


@dataclass(frozen=True)
class StageTime:
    """One stage inside the pipeline.

    Attributes:
        name, thread: which, and who did it.
        calls: in all.
        per_frame_s: time in the stage itself, stages inside it left out, over all frames.
        per_call_s: the same over its calls.
        share: of the elapsed time.
    """

    name: str
    thread: str
    calls: int
    per_frame_s: float
    per_call_s: float
    share: float


@dataclass(frozen=True)
class Breakdown:
    """Where the time of the pipeline's own thread goes.

    Attributes:
        frames, elapsed_s: of the traced run.
        stages: of all threads, the longest first.
        overhead_share: of the elapsed time of the pipeline's thread outside every stage.
        slowdown: frame time traced over frame time not traced.
    """

    frames: int
    elapsed_s: float
    stages: list[StageTime]
    overhead_share: float
    slowdown: float


@dataclass(frozen=True)
class Startup:
    """A process of its own, from its start to its first result and on.

    Attributes:
        ready_s: models loaded, median of `samples` processes.
        first_result_s: first frame with its result, the same.
        samples: processes.
        peak_rss_bytes: most memory resident in one, its frames included.
        frames_bytes: of the frames it held.
        frames: it ran.
    """

    ready_s: float
    first_result_s: float
    samples: int
    peak_rss_bytes: int
    frames_bytes: int
    frames: int


@dataclass(frozen=True)
class GpuUse:
    """Of the first GPU, sampled during the repetitions.

    Attributes:
        name: of the device.
        memory_bytes: most in use, by all processes.
        clock_hz: mean of the SM clock.
        power_w: mean.
    """

    name: str
    memory_bytes: int
    clock_hz: float
    power_w: float


@dataclass(frozen=True)
class Case:
    """What is run.

    Attributes:
        workload: `detect`, or `express` with expressions.
        faces: shown in every frame; None for a source of the user's.
        width, height: of a frame in pixels.
        streams: sources through one engine.
        detect_every: frames from one detection to the next.
        backend, precision, device: what computes.
        source: `memory`, or the name of the user's.
        decode: whether frames are decoded inside the full clock.
        outputs: whether an annotated video and JSON lines are written inside it.
        detector, expression: SHA-256 of the originals that the models were converted from.
        classify_every: frames from one classification of a face to the next.
        detector_name: `ssd` is the published one.
        detector_plan, expression_plan: what computed: back end, precision, device, threads,
            instruction set; empty in reports that do not know it.
        detector_file, expression_file: SHA-256 of the files that were run.
    """

    workload: str
    faces: int | None
    width: int
    height: int
    streams: int
    detect_every: int
    backend: str
    precision: str
    device: str
    source: str
    decode: bool
    outputs: bool
    detector: str
    expression: str | None
    classify_every: int = 1
    detector_name: str = "ssd"
    detector_plan: str = ""
    expression_plan: str | None = None
    detector_file: str | None = None
    expression_file: str | None = None

    @property
    def title(self) -> str:
        """One line that tells this case from the others of a report."""
        shown = self.source if self.faces is None else count_of(self.faces, "face")
        words = [self.workload, shown, f"{self.width}x{self.height}"]
        words += [count_of(self.streams, "stream")] if self.streams > 1 else []
        words += [f"every {self.detect_every}"] if self.detect_every != 10 else []
        words += [f"classified every {self.classify_every}"] if self.classify_every != 1 else []
        words += [self.detector_name] if self.detector_name != PUBLISHED_DETECTOR else []
        words += ["decoding"] if self.decode else []
        words += ["outputs"] if self.outputs else []
        return ", ".join(words)


def count_of(number: int, noun: str) -> str:
    """`1 face`, `4 faces`."""
    return f"{number} {noun}" if number == 1 else f"{number:,} {noun}s"


@dataclass(frozen=True)
class CaseResult:
    """A case with everything measured of it.

    Attributes:
        case: what was run.
        scene_found: faces that the detector finds in the frames shown, mean.
        face_share: height of a face over that of its tile.
        contestants: fer-edge first.
        ratios: fer-edge over each other one.
        breakdown, startup, gpu: of fer-edge; None where not measured.
    """

    case: Case
    scene_found: float | None
    face_share: float | None
    contestants: list[Contestant]
    ratios: list[Ratio]
    breakdown: Breakdown | None = None
    startup: Startup | None = None
    gpu: GpuUse | None = None


@dataclass(frozen=True)
class StageResult:
    """A stage by itself, called again and again with the same input.

    Attributes:
        name, about: which, and what one call does.
        faces, width, height: of its input.
        rate: calls a second, over the repetitions.
        times: of a call.
        laps: calls and seconds of each repetition.
    """

    name: str
    about: str
    faces: int
    width: int
    height: int
    rate: Interval
    times: Times
    laps: list[Lap]


@dataclass(frozen=True)
class Conversion:
    """fer-convert on one file, a process of its own each time.

    Attributes:
        model: name of the file.
        seconds: of each repetition, from the start of the process to its end.
        mean: with its interval.
    """

    model: str
    seconds: list[float]
    mean: Interval


@dataclass(frozen=True)
class Ceilings:
    """What this machine can do at best, measured.

    Attributes:
        copy_bytes_s: bytes read and written a second by a copy of a large array.
        product_flop_s: operations a second of a large matrix product, by precision.
    """

    copy_bytes_s: float
    product_flop_s: dict[str, float]


@dataclass(frozen=True)
class Work:
    """What a network needs, counted from its graph at batch 1.

    Attributes:
        model: its kind.
        flop: multiplications and additions of convolutions and products.
        weight_bytes: in the precision of the arithmetic.
        activation_bytes: outputs of those operators written and read once.
    """

    model: str
    flop: float
    weight_bytes: float
    activation_bytes: float


@dataclass(frozen=True)
class Roofline:
    """A network against the ceilings: an estimate, never a measurement.

    Attributes:
        model: its kind.
        flop, bytes: of one inference.
        measured_s: one inference here.
        bound_s: least time by the ceilings of this machine.
        ratio: bound over measured, 1 at the roof.
        other_bound_s: least time on the other device by its data sheet.
        other_estimate_s: that over `ratio`.
    """

    model: str
    flop: float
    bytes: float
    measured_s: float
    bound_s: float
    ratio: float
    other_bound_s: float
    other_estimate_s: float


@dataclass(frozen=True)
class Estimate:
    """What the roofline implies for another device.

    Attributes:
        device: its name and data sheet.
        assumptions: one paragraph.
        rooflines: a network each.
        fps: by workload.
    """

    device: str
    assumptions: str
    rooflines: list[Roofline]
    fps: dict[str, float]


@dataclass(frozen=True)
class Claim:
    """A published figure against this machine's.

    Attributes:
        workload: `detect` or `express`.
        published_fps, published_on: the claim.
        measured: on the published program's clock, one face, 640x480.
        measured_full: on the full clock.
        ratio: measured over published.
        verdict: in words.
    """

    workload: str
    published_fps: float
    published_on: str
    measured: Interval
    measured_full: Interval
    ratio: Interval
    verdict: str


@dataclass(frozen=True)
class Soak:
    """Memory over a long run.

    Attributes:
        case: what ran.
        frames: in all.
        elapsed_s: for all of them.
        at_frames, rss_bytes: samples of the memory resident.
        warm_frames: samples before this frame are left out of `growth_bytes`.
        growth_bytes: median of the last tenth of the samples less that of the first tenth.
    """

    case: Case
    frames: int
    elapsed_s: float
    at_frames: list[int]
    rss_bytes: list[int]
    warm_frames: int
    growth_bytes: int


@dataclass(frozen=True)
class DetectionCost:
    """One detection in a frame of 640x480, from pixels to boxes; detectors take turns by blocks.

    Attributes:
        detector, plan: which, and what computes.
        sees: size of its input.
        median_s: of a detection.
        ratio: the first detector's median over this one's, with the bootstrap's 95 % over turns.
    """

    detector: str
    plan: str
    sees: str
    median_s: float
    ratio: Interval


@dataclass(frozen=True)
class DemoStart:
    """`fer-run` on its built-in demo, a process of its own, from its start.

    Attributes:
        what: `plan measured`, the first time on a machine, or `plan known`.
        first_frame_s: to the first frame with its faces and expressions; median of `samples`.
        peak_rss_bytes: most memory resident in any of them.
        frames: it ran.
        samples: processes.
    """

    what: str
    first_frame_s: float
    peak_rss_bytes: int
    frames: int
    samples: int


@dataclass(frozen=True)
class Report:
    """Everything that one call of fer-bench measured.

    Attributes:
        created: UTC, ISO 8601.
        version: of fer-edge.
        command: as it was given.
        machine: where.
        method: what the figures mean, by topic.
        notes: what was asked for and could not be done, with the reason.
        cases, stages, conversions, ceilings, estimate, claims, soak: the figures.
        costs: of one detection, by detector.
        starts: of fer-run on its demo.
        isa: the instruction set of the networks, and what it was capped from.
    """

    created: str
    version: str
    command: list[str]
    machine: Machine
    method: dict[str, str]
    notes: list[str] = field(default_factory=list)
    cases: list[CaseResult] = field(default_factory=list)
    stages: list[StageResult] = field(default_factory=list)
    conversions: list[Conversion] = field(default_factory=list)
    ceilings: Ceilings | None = None
    estimate: Estimate | None = None
    claims: list[Claim] = field(default_factory=list)
    soak: Soak | None = None
    costs: list[DetectionCost] = field(default_factory=list)
    starts: list[DemoStart] = field(default_factory=list)
    isa: str = ""
    schema: int = SCHEMA


def write_json(values: dict[str, Any], path: Path) -> None:
    """Store one JSON object.

    Raises:
        OutputNotWritable: it cannot be written.
    """
    write_file(path, json.dumps(values, indent=1) + "\n")


def write_report(report: Report, path: Path) -> None:
    """Store a report as JSON.

    Raises:
        OutputNotWritable: it cannot be written.
    """
    write_json(asdict(report), path)


def read_report(path: Path) -> Report:
    """Read what `write_report` wrote.

    Raises:
        InputNotFound: no file at `path`.
        BadInput: not a report, or one of another schema.
    """
    if not path.is_file():
        raise InputNotFound(f"{path}: no such report")
    try:
        raw = json.loads(path.read_text(encoding="utf-8"))
        schema = raw.get("schema")
        if schema != SCHEMA:
            raise BadInput(f"it has schema {schema}, this version reads {SCHEMA}")
        return from_json(Report, raw)
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise BadInput(
            f"{path}: not a report of fer-bench ({error}); make one with fer-bench run --json"
        ) from error


def from_json(cls: type[Record], raw: Any) -> Record:
    """Build a record from the JSON values that `asdict` makes of it.

    Raises:
        TypeError, KeyError, ValueError: the values are not of such a record.
    """
    value: Record = _value(cls, raw)
    return value


def _value(kind: Any, raw: Any) -> Any:
    origin, parts = get_origin(kind), get_args(kind)
    if origin in (Union, types.UnionType):
        (inner,) = (part for part in parts if part is not type(None))
        return None if raw is None else _value(inner, raw)
    if origin is list:
        return [_value(parts[0], item) for item in _expect(raw, list)]
    if origin is dict:
        return {str(key): _value(parts[1], item) for key, item in _expect(raw, dict).items()}
    if is_dataclass(kind):
        return _record(kind, _expect(raw, dict))
    if kind is float:
        number = float(_expect(raw, (int, float)))
        if not isfinite(number):
            raise ValueError(f"{number} is no figure")
        return number
    return _expect(raw, kind)


def _record(kind: Any, raw: Mapping[str, Any]) -> Any:
    hints = get_type_hints(kind)
    names = {one.name for one in fields(kind)}
    if unknown := raw.keys() - names:
        raise ValueError(f"unknown {kind.__name__} {', '.join(sorted(unknown))}")
    return kind(**{name: _value(hints[name], item) for name, item in raw.items()})


def _expect(raw: Any, kind: Any) -> Any:
    if not isinstance(raw, kind) or (isinstance(raw, bool) and kind is not bool):
        raise TypeError(f"found {type(raw).__name__} {str(raw)[:40]!r}")
    return raw
