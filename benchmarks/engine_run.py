"""The engine over one source as a contestant: its own pipeline loop, timed from outside."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from time import perf_counter

from fer_edge.engine.config import DETECTORS, PipelineConfig
from fer_edge.engine.pipeline import Pipeline
from fer_edge.engine.sinks.annotated import Annotated
from fer_edge.engine.sinks.base import Sink
from fer_edge.engine.sinks.records import JSONLines
from fer_edge.engine.sinks.video import VideoSink
from fer_edge.engine.sources.base import LosslessFeed, Reader
from fer_edge.engine.tracing import span
from fer_edge.engine.types import Frame, FrameResult

from .laps import Runner


class StampedFeed(LosslessFeed):
    """Every frame, with the moment at which the pipeline had it in hand."""

    def __init__(self, reader: Reader) -> None:
        super().__init__(reader)
        self._handed: dict[int, float] = {}

    def __iter__(self) -> Iterator[Frame]:
        for frame in super().__iter__():
            self._handed[frame.index] = perf_counter()
            yield frame

    def in_hand_since(self, index: int) -> float:
        """When frame `index` was handed over, on `perf_counter`; asked once a frame."""
        return self._handed.pop(index)


class EngineRun(Runner):
    """One pipeline; `StreamsRun` is for several sources.

    Args:
        reader: the source; it must not end.
        config: of the pipeline.
        outputs: a folder to write an annotated video and JSON lines to, inside the full
            clock; None for no outputs.
    """

    name = "fer-edge"

    def __init__(self, reader: Reader, config: PipelineConfig, outputs: Path | None = None) -> None:
        every = config.detect_every
        # Where drift decides there is no pattern; laps of whole tens are as good as others.
        self.cycle = every if isinstance(every, int) else 10
        self.about = about(config)
        with ExitStack() as opened:
            self._feed = StampedFeed(reader)
            pipeline = Pipeline.from_config(self._feed, config)
            self._results = iter(opened.enter_context(pipeline))
            self._sinks = [opened.enter_context(sink) for sink in _sinks(outputs, reader)]
            self._closing = opened.pop_all()

    def step(self) -> tuple[float, int, bool]:
        """Take the next frame to its result; see `Runner.step`."""
        return self._finish(next(self._results))

    def _finish(self, result: FrameResult) -> tuple[float, int, bool]:
        now = perf_counter()
        if self._sinks:
            with span("sinks"):
                for sink in self._sinks:
                    sink.write(result)
        origins = {face.track.origin for face in result.faces}
        spent = now - self._feed.in_hand_since(result.frame.index)
        # Without a face every frame is searched.
        return spent, len(result.faces), "detected" in origins or not origins

    def close(self) -> None:
        """Close the pipeline, its models and outputs."""
        self._closing.close()


def _sinks(outputs: Path | None, reader: Reader) -> Iterator[Sink]:
    if outputs is not None:
        yield Annotated(VideoSink(outputs / "annotated.mp4", reader.info.fps))
        yield JSONLines(outputs / "results.jsonl")


def about(config: PipelineConfig) -> str:
    """What a pipeline does, in words."""
    words = [
        f"detection by {detector_name(config)} every {config.detect_every} frames",
        f"{config.tracker} tracker",
    ]
    if config.classify:
        every = config.classify_every
        words.append("expressions" if every == 1 else f"expressions every {every} frames")
    return ", ".join(words)


def detector_name(config: PipelineConfig) -> str:
    """The name by which a detector ships, or that of a file without its folder and ending."""
    name = str(config.detector)
    return name if name in DETECTORS else Path(name).stem
