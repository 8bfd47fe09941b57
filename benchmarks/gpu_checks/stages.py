"""Times of the stages on the GPU: by events what it computes, by the clock what a caller waits."""

from __future__ import annotations

from contextlib import ExitStack
from time import perf_counter
from typing import Any

import numpy as np

from fer_edge.engine.config import DETECTOR_FILE, EXPRESSION_FILE, PipelineConfig
from fer_edge.engine.stages import stages_of

from .models import DETECTORS, open_engine

# Of the published face detector; see the design's table.
DETECTOR_FLOP = 6.6e9
CALLS, WARM = 300, 50


def check(options: Any) -> dict[str, Any]:
    """Medians in seconds. A matrix product's speed to set the detector's against is `ceilings`'."""
    rng = np.random.default_rng(0)
    images = [rng.integers(0, 256, (480, 640, 3), np.uint8) for _ in range(8)]
    networks: dict[str, float] = {}
    calls: dict[str, float] = {}
    with ExitStack() as opened:
        second = open_engine(options.work, EXPRESSION_FILE, opened)
        for name in DETECTORS:
            first = open_engine(options.work, name, opened)
            networks[name] = _network(first.execution(), 1)
            with stages_of(first, None, PipelineConfig(), ExitStack()) as alone:
                calls[name] = _call(lambda n, find=alone.detector: find(images[n % 8]))
        stages = opened.enter_context(stages_of(first, second, PipelineConfig(), ExitStack()))
        assert stages.classifier is not None
        for count in (1, 4, 16):
            networks[f"expression, {count}"] = _network(second.execution(), count)
        for count in (1, 4, 16):
            boxes = np.tile(np.array([[100, 100, 140, 180]], np.float32), (count, 1))
            calls[f"expression, {count}"] = _call(
                lambda n, boxes=boxes: stages.classifier(images[n % 8], boxes)
            )
    return {
        "product": second.execution().product,
        "network_s": networks,
        "call_s": calls,
        "detector_flop_per_s": DETECTOR_FLOP / networks[DETECTOR_FILE],
    }


def _network(execution: Any, batch: int) -> float:
    """GPU time of one run and of the copy of its outputs."""
    device = execution.device
    times = []
    with device.current():
        begin, end = device.event(timing=True), device.event(timing=True)
        for _ in range(CALLS):
            begin.record(execution.stream)
            execution.run(batch)
            end.record(execution.stream)
            end.synchronize()
            times.append(end.time_since(begin) / 1e3)
        del begin, end
    return float(np.median(times[WARM:]))


def _call(call: Any) -> float:
    times = []
    for number in range(CALLS):
        started = perf_counter()
        call(number)
        times.append(perf_counter() - started)
    return float(np.median(times[WARM:]))
