"""A day's worth of frames through the monitor with scripted networks: does memory stay flat?

    python benchmarks/monitor_soak.py --frames 1000000

Everything is real but the two networks: reader, tracker, streams, seconds, rules, history,
pictures and records, with a viewer and a record subscriber on real sockets. Memory is the
resident set (VmRSS), printed twenty times; the growth is that from a fifth of the run on.
"""

from __future__ import annotations

import argparse
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from fer_edge.engine.backends import FakeBackend
from fer_edge.engine.classifier import ExpressionClassifier
from fer_edge.engine.config import PipelineConfig
from fer_edge.engine.detector import Detector
from fer_edge.engine.model import (
    FER2013_LABELS,
    DetectorFacts,
    ExpressionFacts,
    InputFacts,
    ModelFacts,
)
from fer_edge.engine.monitor.monitor import Monitor
from fer_edge.engine.monitor.options import MonitorOptions
from fer_edge.engine.monitor.server import Server, listen
from fer_edge.engine.sources import Reader
from fer_edge.engine.sources.base import SourceInfo
from fer_edge.engine.streams import Streams
from fer_edge.engine.types import Frame

PIXELS = InputFacts("image", 32, 32, "rgb", "tf1_bilinear", (127.5,) * 3, (1 / 127.5,) * 3)
GRAY = InputFacts("face", 8, 8, "gray", "area", (0.0,), (1.0,))
KNOWN = ("fp32", "scripted", "0" * 64, "soak")
BOXES = DetectorFacts("boxes", "scores", 0, 0.0, 0.6, 100)
DETECTOR = ModelFacts("detector", PIXELS, ("face",), *KNOWN, BOXES)
EXPRESSION = ModelFacts(
    "expression", GRAY, FER2013_LABELS, *KNOWN, expression=ExpressionFacts("probabilities", 1.0)
)
CLIENT = """
import asyncio, sys, time
from contextlib import suppress
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed

async def listen(url, answers):
    # Again and again: the machine may be held up for longer than a socket waits.
    async for socket in connect(url, proxy=None, max_size=None):
        with suppress(ConnectionClosed):
            async for _ in socket:
                if answers:
                    await socket.send(str(1e3 * time.perf_counter()))

async def main(root):
    pictures = listen(root + "/sources/1/pictures", True)
    await asyncio.gather(pictures, listen(root + "/records", False))

asyncio.run(main(sys.argv[1]))
"""


class Noise(Reader):
    """Frames of noise, a new array each, as fast as they are taken."""

    def __init__(self, frames: int) -> None:
        self.info = SourceInfo("noise", 30.0, frames, live=False)
        self._noise = np.random.default_rng(0).integers(0, 256, (256, 120, 160, 3), np.uint8)
        self._index, self._frames = 0, frames

    def read(self) -> Frame | None:
        """Return the next frame; see `Reader.read`."""
        if self._index == self._frames:
            return None
        self._index += 1
        image = self._noise[self._index % 256].copy()
        return Frame(image, self._index - 1, (self._index - 1) / 30)

    def close(self) -> None:
        """Do nothing."""


def find(call: int, inputs: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Two faces; one leaves for a while now and then, and comes back with a new id."""
    scores = np.array([[[0.9], [0.9 if call // 50 % 4 else 0.0]]], np.float32)
    boxes = np.array([[[0.1, 0.1, 0.5, 0.4], [0.5, 0.5, 0.9, 0.8]]], np.float32)
    return {"boxes": boxes, "scores": scores}


def express(call: int, inputs: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    """An expression that changes."""
    rows = np.full((len(inputs["face"]), 7), 0.1, np.float32)
    rows[:, call // 2000 % 7] = 0.4
    return {"probabilities": rows}


def resident_mb() -> float:
    """The resident set of this process in MB."""
    found = re.search(r"VmRSS:\s+(\d+)", Path("/proc/self/status").read_text())
    return int(found[1]) / 1e3 if found else float("nan")


def main() -> None:
    """Run the frames and print memory as it goes."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--frames", type=int, default=1_000_000, help="to process (1000000)")
    args = parser.parse_args()
    streams = Streams(
        Detector(FakeBackend(find, DETECTOR)),
        ExpressionClassifier(FakeBackend(express, EXPRESSION)),
        PipelineConfig(tracker="none", delivery="lossless"),
        opener=lambda uri: Noise(args.frames),
    )
    step = max(1, args.frames // 20)
    found: list[float] = []
    with tempfile.TemporaryDirectory() as name, streams:
        options = MonitorOptions(port=0, data=Path(name))
        with Monitor(streams, options) as monitor, Server(monitor, listen(options)) as server:
            root = f"ws://127.0.0.1:{server.port}/api/v1"
            client = subprocess.Popen([sys.executable, "-c", CLIENT, root])
            started = time.perf_counter()
            streams.add("noise")
            for number, result in enumerate(streams, 1):
                monitor.observe(result)
                if number % step == 0:
                    found.append(resident_mb())
                    print(f"{number:8} frames  {found[-1]:7.1f} MB", flush=True)
            spent = time.perf_counter() - started
            status = streams.sources[0]
            client.kill()
            client.wait()
    settled = found[len(found) // 5 :]
    growth = max(settled) - settled[0]
    print(
        f"{status.processed} frames in {spent:.0f} s ({status.processed / spent:.0f} fps), "
        f"{status.dropped} dropped; grew by {growth:+.1f} MB after the first fifth"
    )


if __name__ == "__main__":
    main()
