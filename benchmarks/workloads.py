"""From checked options to a report: every case, stage, conversion and estimate in turn."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from datetime import datetime, timezone
from importlib.metadata import version
from itertools import product
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from fer_edge.engine.config import PipelineConfig, shipped_weights
from fer_edge.engine.errors import BackendUnavailable, BadInput
from fer_edge.engine.sources.base import Reader

from .breakdown import break_down
from .ceilings import measure_ceilings
from .claims import claims
from .conversion import measure_conversion
from .engine_run import EngineRun, detector_name
from .gpu import GpuWatch
from .inputs import decoding, encoded, from_memory, held
from .isa import instruction_set
from .laps import Runner, race
from .machine import this_machine
from .method import METHOD
from .opened import ExpressionModel, Opened, describe_expression, open_detector
from .operations import count_work
from .options import Options
from .pipeline_2019 import Program2019
from .records import (
    Case,
    CaseResult,
    Ceilings,
    Conversion,
    DemoStart,
    DetectionCost,
    Estimate,
    Report,
    Soak,
    StageResult,
)
from .roofline import estimate
from .scene import Portrait, Scene, demo_portraits, find_scene, mean_found, portraits_of
from .soak import soak
from .stages import measure_stages
from .startup import measure_startup
from .streams_run import StreamsRun

Progress = Callable[[str], None]
# The original of the shipped expression model, which `convert` converts.
EXPRESSION_ORIGINAL = "expression.keras"
# Most frames of the process whose memory is measured; else those of a lap.
MEMORY_FRAMES = 300


@dataclass
class Figures:
    """What a run has measured so far: kept when the rest is interrupted or fails."""

    notes: list[str] = field(default_factory=list)
    cases: list[CaseResult] = field(default_factory=list)
    stages: list[StageResult] = field(default_factory=list)
    conversions: list[Conversion] = field(default_factory=list)
    ceilings: Ceilings | None = None
    estimate: Estimate | None = None
    costs: list[DetectionCost] = field(default_factory=list)
    starts: list[DemoStart] = field(default_factory=list)

    def __bool__(self) -> bool:
        return bool(self.cases or self.stages or self.conversions or self.starts)

    def report(self, command: Sequence[str]) -> Report:
        """The figures with their machine and method."""
        return _report(command, **vars(self), claims=claims(self.cases))


def measure(options: Options, figures: Figures, progress: Progress) -> None:
    """Measure everything that `options` ask for.

    Args:
        options: checked.
        figures: filled, part by part.
        progress: told what is going on, a line at a time.

    Raises:
        FerError: something is missing or unusable.
    """
    with ExitStack() as opened:
        session = _Session(options, progress, opened)
        session.notes = figures.notes
        # One by one: what is finished stays when the next one fails.
        for case in session.cases():
            figures.cases.append(case)
        for stage in session.stages():
            figures.stages.append(stage)
    for conversion in _conversions(options, progress):
        figures.conversions.append(conversion)
    figures.ceilings, figures.estimate = _estimate(options, figures.cases, progress)


def measure_soak(
    options: Options, frames: int, command: Sequence[str], progress: Progress
) -> Report:
    """Run the one case of `options` for `frames` frames and watch memory.

    Raises:
        FerError: something is missing or unusable.
    """
    with ExitStack() as opened:
        session = _Session(options, progress, opened)
        result = session.soak(frames)
    return _report(command, notes=session.notes, soak=result)


def _report(command: Sequence[str], **figures: Any) -> Report:
    return Report(
        created=datetime.now(timezone.utc).isoformat(timespec="seconds"),
        version=version("fer-edge"),
        command=list(command),
        machine=this_machine(),
        method=METHOD,
        isa=instruction_set(),
        **figures,
    )


class _Session:
    """The models and scenes that the cases of a run share."""

    def __init__(self, options: Options, progress: Progress, opened: ExitStack) -> None:
        self._options = options
        self._progress = progress
        self._scenes: dict[tuple[int, int, int], Scene] = {}
        self.notes: list[str] = []
        self._detectors = [
            open_detector(replace(options.config, detector=name), opened)
            for name in options.detectors
        ]
        for detector in self._detectors:
            if detector.backend is not None:
                self._check_precision(detector.precision)
        # All detectors see the same frames: those that suit the first one.
        self._first = self._detectors[0]
        self._expression: ExpressionModel | None = None
        self._portraits = self._find_portraits()
        self._old: Program2019 | None = None
        if options.baseline and options.graph is not None:
            progress("loading TensorFlow")
            self._old = opened.enter_context(Program2019(options.graph))

    def cases(self) -> Iterator[CaseResult]:
        """Every case of the workloads that run the pipeline."""
        options = self._options
        for workload in options.workloads:
            if workload in ("detect", "express"):
                for scene, streams in self._shown():
                    for detector, every in product(self._detectors, options.intervals):
                        yield self._case(workload, detector, every, scene, streams)

    def _shown(self) -> Iterator[tuple[Scene, int]]:
        """Every scene, with the number of streams that show it."""
        options = self._options
        if options.source is not None:
            for streams in options.streams:
                yield held(options.source), streams
            return
        for (width, height), faces, streams in product(
            options.sizes, options.faces, options.streams
        ):
            yield self._scene(faces, width, height), streams

    def stages(self) -> Iterator[StageResult]:
        """The stages by themselves, over every scene, of the first detector."""
        options = self._options
        if "stages" not in options.workloads:
            return
        if options.config.detector_path is None:
            raise BadInput("stages are those of the network: leave --detector haar out")
        for (width, height), faces in product(options.sizes, options.faces):
            scene = held(options.source) if options.source else self._scene(faces, width, height)
            self._progress(f"stages, {faces} faces, {width}x{height}")
            yield from measure_stages(options.stages, scene, options.config, options.plan)

    def soak(self, frames: int) -> Soak:
        """The first case of the options, for a long time."""
        options = self._options
        (width, height), faces = options.sizes[0], options.faces[0]
        scene = self._scene(faces, width, height)
        case = self._described("express", self._first, options.config, scene, 1)
        with EngineRun(from_memory(scene)(), options.config) as runner:
            return soak(runner, case, frames, self._progress)

    def _case(
        self, workload: str, detector: Opened, every: int, scene: Scene, streams: int
    ) -> CaseResult:
        options, plan = self._options, self._options.plan
        config = replace(detector.config, classify=workload == "express", detect_every=every)
        case = self._described(workload, detector, config, scene, streams)
        found = self._found(detector, scene)
        with ExitStack() as opened:
            folder = Path(opened.enter_context(TemporaryDirectory(prefix="fer-bench-")))
            readers = self._readers(scene, folder)
            ours: Runner
            if streams == 1:
                ours = EngineRun(readers(), config, folder if options.outputs else None)
            else:
                ours = StreamsRun(readers, streams, config)
            opened.enter_context(ours)
            runners: list[Runner] = [ours]
            if self._old is not None and streams == 1:
                runners += self._old.runners(readers, config.classify, every)
                for other in runners[1:]:
                    opened.enter_context(other)
            elif self._old is not None:
                self._note("the program of 2019 takes one stream: no baseline for several")
            watch = opened.enter_context(GpuWatch())
            contestants, ratios = race(
                runners, plan, lambda text: self._progress(f"{case.title}: {text}")
            )
            watch.stop()
            frame_s = contestants[0].times.mean_s
            self._progress(f"{case.title}: breakdown")
            frames = plan.lap_frames(ours, frame_s)
            parts = break_down(ours, frames, frame_s, options.trace)
        self._progress(f"{case.title}: start-up and memory")
        start = None
        if streams == 1:
            start = measure_startup(config, scene.frames, min(MEMORY_FRAMES, frames))
        return CaseResult(
            case, found, scene.face_share, contestants, ratios, parts, start, watch.use
        )

    def _readers(self, scene: Scene, folder: Path) -> Callable[[], Reader]:
        if not self._options.decode:
            return from_memory(scene)
        return decoding(self._options.source or str(encoded(scene, folder)))

    def _scene(self, faces: int, width: int, height: int) -> Scene:
        key = (faces, width, height)
        if key not in self._scenes:
            self._progress(f"rendering {faces} faces at {width}x{height}")
            # One at a time: scenes of full HD fill hundreds of megabytes.
            self._scenes = {key: find_scene(self._portraits, *key, self._first.find)}
        return self._scenes[key]

    def _found(self, detector: Opened, scene: Scene) -> float | None:
        """Faces that a detector finds in a scene, a frame; None where nobody knows them."""
        if scene.faces is None:
            return None
        found = scene.found if detector is self._first else mean_found(scene, detector.find)
        if found is not None and abs(found - scene.faces) > 0.02 * scene.faces:
            height, width = scene.frames[0].shape[:2]
            self._note(
                f"{detector.name} finds {found:.2f} of {scene.faces} faces at "
                f"{width}x{height}, mean"
            )
        return found

    def _described(
        self, workload: str, detector: Opened, config: PipelineConfig, scene: Scene, streams: int
    ) -> Case:
        height, width = scene.frames[0].shape[:2]
        expression = None
        if config.classify:
            expression = self._expression = self._expression or describe_expression(config)
        assert isinstance(config.detect_every, int), "fer-bench has no auto"
        return Case(
            workload=workload,
            faces=scene.faces,
            width=width,
            height=height,
            streams=streams,
            detect_every=config.detect_every,
            backend=detector.library,
            precision=detector.precision,
            device=detector.device,
            source=Path(self._options.source).name if self._options.source else "memory",
            decode=self._options.decode,
            outputs=self._options.outputs,
            detector=detector.source_sha256,
            expression=expression.source_sha256 if expression else None,
            classify_every=config.classify_every if config.classify else 1,
            detector_name=detector.name,
            detector_plan=detector.plan,
            expression_plan=expression.plan if expression else None,
            detector_file=detector.file_sha256,
            expression_file=expression.file_sha256 if expression else None,
        )

    def _find_portraits(self) -> list[Portrait]:
        if self._options.photos is None:
            return demo_portraits()
        return portraits_of(self._options.photos, self._first.find)

    def _check_precision(self, found: str) -> None:
        wanted = self._options.precision
        if wanted is not None and found != wanted:
            raise BadInput(
                f"the models compute in {found} here, not in {wanted}: choose another --backend, "
                "or models converted to it"
            )

    def _note(self, text: str) -> None:
        if text not in self.notes:
            self.notes.append(text)


def _conversions(options: Options, progress: Progress) -> Iterator[Conversion]:
    if "convert" not in options.workloads:
        return
    originals = [shipped_weights(EXPRESSION_ORIGINAL)]
    originals += [options.graph] if options.graph is not None else []
    for original in originals:
        yield measure_conversion(original, options.plan.repetitions, progress)


def _estimate(
    options: Options, cases: Sequence[CaseResult], progress: Progress
) -> tuple[Ceilings | None, Estimate | None]:
    if not options.estimate:
        return None, None
    path = options.config.detector_path
    name = detector_name(options.config)
    cases = [result for result in cases if result.case.detector_name == name]
    if path is None or not cases:
        raise BadInput("--estimate needs a network and the workload detect or express")
    progress("measuring the ceilings of this machine")
    ceilings = measure_ceilings()
    precision = cases[0].case.precision
    works = {"detect": (count_work(path, precision), precision)}
    if any(result.case.workload == "express" for result in cases):
        works["classify"] = (count_work(options.config.expression_path, precision), precision)
    return ceilings, estimate(works, cases, ceilings)


def check_extras(options: Options) -> None:
    """Say before a long measurement what it will lack.

    Raises:
        BackendUnavailable: an extra is missing.
    """
    from importlib.util import find_spec

    if options.estimate and find_spec("onnx") is None:
        raise BackendUnavailable(
            "--estimate counts operations with onnx: pip install 'fer-edge[bench]'"
        )
