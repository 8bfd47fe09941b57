"""The engine as a contestant: its own pipeline loop, timed from outside."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path
from time import perf_counter

from fer_edge.engine.config import PipelineConfig
from fer_edge.engine.pipeline import Pipeline
from fer_edge.engine.sinks.annotated import Annotated
from fer_edge.engine.sinks.base import Sink
from fer_edge.engine.sinks.records import JSONLines
from fer_edge.engine.sinks.video import VideoSink
from fer_edge.engine.sources.base import Feed, LosslessFeed, Reader
from fer_edge.engine.stages import open_stages
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
    """One pipeline a source, all with the same models, stepped in turn by one thread.

    Args:
        readers: a source a stream; they must not end.
        config: of every pipeline.
        outputs: a folder to write an annotated video and JSON lines to, inside the full
            clock; None for no outputs.
    """

    name = "fer-edge"

    def __init__(
        self, readers: Sequence[Reader], config: PipelineConfig, outputs: Path | None = None
    ) -> None:
        every = config.detect_every
        # Where drift decides there is no pattern; laps of whole tens are as good as others.
        self.cycle = every if isinstance(every, int) else 10
        self.streams = len(readers)
        with ExitStack() as opened:
            self._feeds = [StampedFeed(reader) for reader in readers]
            if len(readers) == 1:
                pipelines = [Pipeline.from_config(self._feeds[0], config)]
            else:
                pipelines = _sharing(self._feeds, config, opened)
            for pipeline in pipelines:
                opened.enter_context(pipeline)
            self._results = [iter(pipeline) for pipeline in pipelines]
            self._sinks = [opened.enter_context(sink) for sink in _sinks(outputs, readers[0])]
            self.about = _about(config, self.streams)
            self._closing = opened.pop_all()
        # Cameras are not in step: each stream's detections fall on frames of their own.
        for number, results in enumerate(self._results):
            for _ in range(number * self.cycle // self.streams):
                self._finish(number, next(results))

    def step(self) -> tuple[float, int, bool]:
        """Take one frame of every stream to its result; see `Runner.step`."""
        faces, detected, in_hand = 0, False, float("nan")
        for number, results in enumerate(self._results):
            result = next(results)
            spent, found, fresh = self._finish(number, result)
            faces, detected = faces + found, detected or fresh
            if self.streams == 1:
                in_hand = spent
        return in_hand, faces, detected

    def _finish(self, number: int, result: FrameResult) -> tuple[float, int, bool]:
        now = perf_counter()
        if self._sinks:
            with span("sinks"):
                for sink in self._sinks:
                    sink.write(result)
        origins = {face.track.origin for face in result.faces}
        spent = now - self._feeds[number].in_hand_since(result.frame.index)
        # Without a face every frame is searched.
        return spent, len(result.faces), "detected" in origins or not origins

    def close(self) -> None:
        """Close the pipelines, models and outputs."""
        self._closing.close()


def _sharing(feeds: Sequence[Feed], config: PipelineConfig, opened: ExitStack) -> list[Pipeline]:
    """A pipeline a feed, each with a tracker of its own and the same open models."""
    # On a GPU the feeds do not upload ahead: they would take each other's slots.
    stages = opened.enter_context(open_stages(config))
    return [Pipeline.from_stages(feed, stages, config) for feed in feeds]


def _sinks(outputs: Path | None, reader: Reader) -> Iterator[Sink]:
    if outputs is not None:
        yield Annotated(VideoSink(outputs / "annotated.mp4", reader.info.fps))
        yield JSONLines(outputs / "results.jsonl")


def _about(config: PipelineConfig, streams: int) -> str:
    models = "cascade" if config.haar else "network"
    words = [
        f"detection by {models} every {config.detect_every} frames",
        f"{config.tracker} tracker",
    ]
    if config.classify:
        every = config.classify_every
        words.append("expressions" if every == 1 else f"expressions every {every} frames")
    words += [f"{streams} streams"] if streams > 1 else []
    return ", ".join(words)
