"""The figures that this project promises, in one run on this machine.

    fer-bench figures --graph frozen_inference_graph_face.pb \\
        --json benchmarks/reports/fer-bench-NAME.json --readme README.md

does all of it, on an idle machine in about ten minutes: `detect` and `express` with the published
detector (`ssd`) and the one that is used (`default`), every 10th frame and every frame, beside the
program of 2019, whose TensorFlow session runs alone where every frame is detected; the cost of one
detection with each detector that ships; and fer-run's demo from the start of its process. With
`--readme` the section of the README is made from it anew.
"""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import replace

from fer_edge.engine.config import PipelineConfig

from .detection_cost import detection_costs
from .opened import open_detector
from .options import Options
from .records import DemoStart, DetectionCost
from .scene import demo_portraits, render
from .startup import measure_demo
from .workloads import Figures, Progress, measure

DETECTORS = ("ssd", "default", "lite")
SIZE = (640, 480)
# What `fer-bench` is asked for beside them.
WORDS = ("run", "detect", "express", "--detect-every", "10,1")


def measure_figures(options: Options, figures: Figures, progress: Progress) -> None:
    """Measure everything, the quick parts first.

    Args:
        options: of the cases.
        figures: filled, part by part.
        progress: told what is going on.

    Raises:
        FerError: something is missing or unusable.
    """
    config = options.config
    figures.starts += demo_starts(config, progress)
    figures.costs += costs(config, progress)
    measure(options, figures, progress)


def costs(config: PipelineConfig, progress: Progress) -> list[DetectionCost]:
    """The cost of a detection in a frame of 640x480 with one face, the published one first."""
    (image, *_) = render(demo_portraits(), 1, *SIZE)
    with ExitStack() as opened:
        detectors = [open_detector(replace(config, detector=name), opened) for name in DETECTORS]
        return detection_costs(detectors, image, progress=progress)


def demo_starts(config: PipelineConfig, progress: Progress) -> list[DemoStart]:
    """The demo with what fer-run uses unless asked otherwise."""
    progress("start of the demo")
    return measure_demo(replace(config, detector="default", detect_every=10))
