"""The state as Prometheus metrics."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from ..streams import SourceStatus

if TYPE_CHECKING:
    from .monitor import Monitor

_Value = Callable[[SourceStatus], float | None]

# Name, help, value; counters end in _total.
_BY_SOURCE: tuple[tuple[str, str, _Value], ...] = (
    ("fer_frames_captured_total", "Frames taken from the source.", lambda s: s.captured),
    ("fer_frames_processed_total", "Frames that went through the engine.", lambda s: s.processed),
    ("fer_frames_dropped_total", "Frames that newer ones replaced.", lambda s: s.dropped),
    ("fer_reconnects_total", "Attempts to open the source again.", lambda s: s.reconnects),
    ("fer_fps", "Processed frames a second, over two seconds.", lambda s: s.fps),
    ("fer_faces", "Faces in the newest frame.", lambda s: s.faces),
    ("fer_detect_seconds", "Detection in the newest frame with one.", lambda s: s.detect_s),
    ("fer_track_seconds", "Tracking in the newest frame without detection.", lambda s: s.track_s),
    ("fer_frame_age_seconds", "From capture to result, newest frame.", lambda s: s.age_s),
    ("fer_source_up", "1 while the source gives frames.", lambda s: s.state == "running"),
)


class _Collector(Collector):
    def __init__(self, monitor: Monitor) -> None:
        self._monitor = monitor

    def collect(self) -> Iterable[Metric]:
        sources = self._monitor.streams.sources
        for name, help_, value in _BY_SOURCE:
            kind = CounterMetricFamily if name.endswith("_total") else GaugeMetricFamily
            family = kind(name, help_, labels=["source", "name"])
            for status in sources:
                known = value(status)
                if known is not None:
                    family.add_metric([str(status.source), status.name], float(known))
            yield family
        viewers = GaugeMetricFamily("fer_viewers", "Open pictures and record streams.")
        viewers.add_metric([], self._monitor.viewers)
        yield viewers


def exposition(monitor: Monitor) -> bytes:
    """The text that Prometheus scrapes."""
    registry = CollectorRegistry(auto_describe=False)
    registry.register(_Collector(monitor))
    return generate_latest(registry)
