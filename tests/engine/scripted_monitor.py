"""A whole monitor on a real port; only its networks are scripted."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx

from fer_edge.engine.classifier import ExpressionClassifier
from fer_edge.engine.config import PipelineConfig
from fer_edge.engine.detector import Detector
from fer_edge.engine.monitor.monitor import Monitor
from fer_edge.engine.monitor.options import MonitorOptions
from fer_edge.engine.monitor.server import Server, listen
from fer_edge.engine.streams import Streams

from .scripted import Found, fake_detector, fake_expression

FACE: Found = [((0.25, 0.35, 0.65, 0.6), 0.9)]


@dataclass
class Running:
    """A monitor at work and the address of its page."""

    monitor: Monitor
    streams: Streams
    url: str

    def client(self, **options: Any) -> httpx.Client:
        """A client of its API."""
        return httpx.Client(base_url=self.url, timeout=10, trust_env=False, **options)


@contextmanager
def running_monitor(
    data: Path, found: Found = FACE, favourite: int = 3, **options: Any
) -> Iterator[Running]:
    """Run a monitor without a source; the engine has a thread of its own."""
    streams = Streams(
        Detector(fake_detector(lambda _: found, landmarks=True)),
        ExpressionClassifier(fake_expression(favourite)),
        PipelineConfig(tracker="none", delivery="realtime", detect_every=10, min_score=0.5),
    )
    streams.endless = True
    settings = MonitorOptions(port=0, data=data, **options)
    listening = listen(settings)
    with streams, Monitor(streams, settings) as monitor, Server(monitor, listening) as server:
        engine = threading.Thread(target=_run, args=(streams, monitor), daemon=True)
        engine.start()
        try:
            yield Running(monitor, streams, f"http://127.0.0.1:{server.port}")
        finally:
            streams.stop()
            engine.join(5)


def _run(streams: Streams, monitor: Monitor) -> None:
    for result in streams:
        monitor.observe(result)
