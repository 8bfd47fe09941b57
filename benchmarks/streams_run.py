"""Several sources as a contestant: what `fer-run` with several sources runs, timed from outside."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import replace

from fer_edge.engine.config import PipelineConfig
from fer_edge.engine.sources.base import Reader
from fer_edge.engine.streams import StreamResult, Streams

from .engine_run import about
from .laps import Runner


class StreamsRun(Runner):
    """The engine's own loop over several sources, each read by a thread of its own.

    A step is one result of every source on average: a round takes what has arrived, and the next
    one the rest.

    Args:
        opening: opens a source; it must not end.
        count: sources.
        config: of every one of them.
    """

    name = "fer-edge"

    def __init__(self, opening: Callable[[], Reader], count: int, config: PipelineConfig) -> None:
        every = config.detect_every
        self.cycle = every if isinstance(every, int) else 10
        self.streams = count
        self.about = f"{about(config)}, {count} streams"
        with ExitStack() as opened:
            config = replace(config, delivery="lossless")
            streams = Streams.from_config(config, lambda _: opening())
            opened.enter_context(streams)
            self._results: Iterator[StreamResult] = iter(streams)
            # Cameras are not in step: detections of the sources fall on frames of their own.
            for number in range(count):
                streams.add(f"source {number + 1}")
                for _ in range((number + 1) * self.cycle // count):
                    next(self._results)
            self._closing = opened.pop_all()

    def step(self) -> tuple[float, int, bool]:
        """Take as many frames as there are sources to their results; see `Runner.step`."""
        faces, detected = 0, False
        for _ in range(self.streams):
            result = next(self._results)
            faces += len(result.result.faces)
            detected = detected or result.detect_s is not None
        return float("nan"), faces, detected

    def close(self) -> None:
        """Stop the sources and close the models."""
        self._closing.close()
