"""What serving the live monitor costs the engine, and how old the pictures in a browser are.

    python benchmarks/monitor_serving.py
    python benchmarks/monitor_serving.py --age --seconds 20

Cost: the engine runs as fast as it can over the demo's frames, held in memory, with the
shipped models; it takes turns alone, with the monitor and nobody looking, with one viewer and
with eight. Viewers are a process of their own on the same machine, which its share of the
processor is taken from too: over a network the cost is lower. In the clock: processed frames
over the time of a turn. Age: from capture, detection and tracking included, to the picture
drawn in Chromium on the same machine, with the whole round trip added, for a source of 30 fps.
"""

from __future__ import annotations

import argparse
import json
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import numpy as np

from fer_edge.engine.config import PipelineConfig
from fer_edge.engine.monitor.monitor import Monitor
from fer_edge.engine.monitor.options import MonitorOptions
from fer_edge.engine.monitor.server import Server, listen
from fer_edge.engine.sources import Reader, open_reader
from fer_edge.engine.sources.base import SourceInfo
from fer_edge.engine.streams import Streams
from fer_edge.engine.types import Frame

HELD = 200  # frames of the demo
TURNS = ("alone", "nobody", "1 viewer", "8 viewers")
VIEWERS = """
import asyncio, sys, time
from websockets.asyncio.client import connect

async def look(url):
    async with connect(url, proxy=None, compression=None, max_size=None) as socket:
        async for _ in socket:
            await socket.send(str(1e3 * time.perf_counter()))

async def main():
    await asyncio.gather(*(look(sys.argv[1]) for _ in range(int(sys.argv[2]))))

asyncio.run(main())
"""
COLLECT = """() => {
    window.ages = [];
    document.getElementById('picture').addEventListener('picture',
        (event) => window.ages.push(event.detail.shown_ms));
}"""


class Endless(Reader):
    """The demo's first frames, again and again, without the time that making them takes."""

    def __init__(self, live: bool) -> None:
        with open_reader_closing("demo") as demo:
            self._frames = [frame for _ in range(HELD) if (frame := demo.read()) is not None]
        self.info = SourceInfo("endless demo", 30.0, None, live)
        self._live, self._index = live, 0
        self._started = time.perf_counter()

    def read(self) -> Frame:
        """Return the next frame; at 30 fps where it is live."""
        if self._live:
            due = self._started + self._index / 30
            time.sleep(max(0.0, due - time.perf_counter()))
        # There and back, so that the face never jumps.
        at = self._index % (2 * HELD)
        image = self._frames[min(at, 2 * HELD - 1 - at)].image
        self._index += 1
        return Frame(image, self._index - 1, (self._index - 1) / 30)

    def close(self) -> None:
        """Do nothing."""


@contextmanager
def open_reader_closing(uri: str) -> Iterator[Reader]:
    """A reader that is closed in the end."""
    reader = open_reader(uri)
    try:
        yield reader
    finally:
        reader.close()


class Box:
    """An engine with a monitor that may be told nothing."""

    def __init__(self, stack: ExitStack, live: bool) -> None:
        data = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        options = MonitorOptions(port=0, data=data)
        config = PipelineConfig(delivery="realtime" if live else "lossless")
        source = Endless(live)
        self.streams = stack.enter_context(Streams.from_config(config, lambda uri: source))
        self.monitor = stack.enter_context(Monitor(self.streams, options))
        self.server = stack.enter_context(Server(self.monitor, listen(options)))
        self.told = True
        self.streams.add("camera:0")
        self._engine = threading.Thread(target=self._run)
        self._engine.start()
        stack.callback(self._engine.join)
        stack.callback(self.streams.stop)

    def _run(self) -> None:
        for result in self.streams:
            if self.told:
                self.monitor.observe(result)

    def fps(self, seconds: float) -> float:
        """Processed frames a second over a while."""
        began, started = self.streams.sources[0].processed, time.perf_counter()
        time.sleep(seconds)
        done = self.streams.sources[0].processed - began
        return done / (time.perf_counter() - started)

    @contextmanager
    def viewers(self, count: int) -> Iterator[None]:
        """Viewers that take every picture they can get."""
        url = f"ws://127.0.0.1:{self.server.port}/api/v1/sources/1/pictures"
        command = [sys.executable, "-c", VIEWERS, url, str(count)]
        process = subprocess.Popen(command, stderr=subprocess.DEVNULL)
        try:
            while self.monitor.viewers < count:
                time.sleep(0.05)
            yield
        finally:
            process.kill()
            process.wait()
            while self.monitor.viewers:
                time.sleep(0.05)


def cost(seconds: float, rounds: int) -> None:
    """Measure the engine's fps in turns and print the ratios."""
    with ExitStack() as stack:
        box = Box(stack, live=False)
        box.fps(2.0)
        found = np.empty((rounds, len(TURNS)))
        for row in found:
            for index, turn in enumerate(TURNS):
                box.told = turn != "alone"
                with ExitStack() as looking:
                    if turn[0].isdigit():
                        looking.enter_context(box.viewers(int(turn[0])))
                    box.fps(0.3)
                    row[index] = box.fps(seconds)
    ratios = found / found[:, :1]
    for index, turn in enumerate(TURNS):
        low, high = ratios[:, index].min(), ratios[:, index].max()
        print(
            f"{turn:10} {np.median(found[:, index]):6.1f} fps  ratio to alone "
            f"{np.median(ratios[:, index]):.3f} ({low:.3f} to {high:.3f}, {rounds} rounds)"
        )


def age(seconds: float) -> None:
    """Measure the age of the pictures in a browser and print percentiles."""
    from playwright.sync_api import sync_playwright

    with ExitStack() as stack:
        box = Box(stack, live=True)
        playwright = stack.enter_context(sync_playwright())
        browser = playwright.chromium.launch(
            executable_path=shutil.which("chromium"), args=["--no-sandbox", "--disable-gpu"]
        )
        stack.callback(browser.close)
        page = browser.new_page(viewport={"width": 1280, "height": 720})
        page.goto(f"http://127.0.0.1:{box.server.port}/")
        page.wait_for_selector("#faces button")
        page.wait_for_timeout(2000)
        page.evaluate(COLLECT)
        page.wait_for_timeout(1000 * seconds)
        ages = np.array(page.evaluate("() => window.ages"))
        result_age_s = box.streams.sources[0].age_s
    p50, p95, p99 = np.percentile(ages, [50, 95, 99])
    print(
        f"{len(ages)} pictures in {seconds:.0f} s: age {p50:.0f} ms median, {p95:.0f} ms p95, "
        f"{p99:.0f} ms p99, {ages.max():.0f} ms worst; "
        f"newest result {json.dumps(round(1e3 * (result_age_s or 0), 1))} ms old when it was there"
    )


def main() -> None:
    """Measure what is asked for."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--age", action="store_true", help="of pictures in Chromium")
    parser.add_argument("--seconds", type=float, default=4.0, help="of a turn (4)")
    parser.add_argument("--rounds", type=int, default=5, help="of turns (5)")
    args = parser.parse_args()
    if args.age:
        age(args.seconds)
    else:
        cost(args.seconds, args.rounds)


if __name__ == "__main__":
    main()
