"""How large a day of history is, and how long its page takes.

    python benchmarks/monitor_history.py --faces 4

Writes a day of seconds with random probabilities, through the monitor's own writer, and asks a
real server for the day. In the clock: one request of the day's page data, and one CSV export.
"""

from __future__ import annotations

import argparse
import tempfile
import time
import urllib.request
from contextlib import closing
from datetime import date, timedelta
from pathlib import Path

import numpy as np

from fer_edge.engine.backends import FakeBackend
from fer_edge.engine.config import PipelineConfig
from fer_edge.engine.detector import Detector
from fer_edge.engine.model import FER2013_LABELS, DetectorFacts, InputFacts, ModelFacts
from fer_edge.engine.monitor.history_file import NAME, open_history, used_bytes
from fer_edge.engine.monitor.history_queries import day_bounds
from fer_edge.engine.monitor.history_writer import HistoryWriter
from fer_edge.engine.monitor.monitor import Monitor
from fer_edge.engine.monitor.options import MonitorOptions
from fer_edge.engine.monitor.rulebook import default_levels
from fer_edge.engine.monitor.seconds import FaceSecond, SourceSecond
from fer_edge.engine.monitor.server import Server, listen
from fer_edge.engine.streams import Streams

BATCH = 600
_PIXELS = InputFacts("image", 32, 32, "rgb", "tf1_bilinear", (0.0,) * 3, (1.0,) * 3)
_BOXES = DetectorFacts("boxes", "scores", 0, 0.0, 0.5, 100)
FACTS = ModelFacts("detector", _PIXELS, ("face",), "fp32", "none", "0" * 64, "none", _BOXES)


def write_day(folder: Path, day: date, faces: int) -> int:
    """Write a whole day; returns the number of rows."""
    levels, rng = default_levels(), np.random.default_rng(0)
    start, end = day_bounds(day)
    with HistoryWriter(folder, FER2013_LABELS, 10**9, 10**12) as writer:
        for first in range(start, end, BATCH):
            times = range(first, min(end, first + BATCH))
            rows = rng.dirichlet(np.ones(len(FER2013_LABELS)), (len(times), faces))
            batch = []
            for time_, of_faces in zip(times, rows.tolist(), strict=True):
                seen = []
                for number, row in enumerate(of_faces, 1):
                    expression = FER2013_LABELS[int(np.argmax(row))]
                    known = dict(zip(FER2013_LABELS, row, strict=True))
                    # Ids grow, as people come and go.
                    face = number + 40 * ((time_ - start) // 3600)
                    seen.append(FaceSecond(face, 30, known, expression, levels(expression)))
                batch.append(("camera 0", SourceSecond(time_, 1, 0, 30, tuple(seen))))
            while writer.waiting > 8:
                time.sleep(0.01)
            writer.submit(batch)
    return (end - start) * faces


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--faces", type=int, default=4, help="in view all day (4)")
    args = parser.parse_args()
    day = date.today() - timedelta(days=1)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        rows = write_day(folder, day, args.faces)
        database, _ = open_history(folder)
        with closing(database):
            used = used_bytes(database)
        size = (folder / NAME).stat().st_size
        print(f"{rows} rows: {size / 1e6:.1f} MB on disk, {used / rows:.1f} bytes a row")
        streams = Streams(
            Detector(FakeBackend(lambda call, inputs: {}, FACTS)), None, PipelineConfig()
        )
        options = MonitorOptions(port=0, data=folder)
        with streams, Monitor(streams, options) as monitor, Server(monitor, listen(options)) as at:
            root = f"http://127.0.0.1:{at.port}/api/v1/history"
            for label, path in (
                ("day page", f"day?day={day}"),
                ("day page again", f"day?day={day}"),
                ("CSV of the day", f"export?first={day}&last={day}"),
            ):
                started = time.perf_counter()
                with urllib.request.urlopen(f"{root}/{path}") as answer:
                    length = len(answer.read())
                spent = time.perf_counter() - started
                print(f"{label:15} {1e3 * spent:8.1f} ms, {length} bytes")


if __name__ == "__main__":
    main()
