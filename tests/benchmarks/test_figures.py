"""The figures that are promised: what one run measures, and that the README's are of what ships."""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import replace

import numpy as np
import pytest

from fer_edge.benchmarks import figures
from fer_edge.benchmarks.cli import build_parser
from fer_edge.benchmarks.detection_cost import BLOCK, UNTIMED, detection_costs, median_ratio
from fer_edge.benchmarks.intervals import Interval
from fer_edge.benchmarks.opened import open_detector
from fer_edge.benchmarks.options import options_from
from fer_edge.benchmarks.readme import section
from fer_edge.benchmarks.records import DemoStart, DetectionCost, read_report
from fer_edge.benchmarks.startup import measure_demo
from fer_edge.benchmarks.tables import tables
from fer_edge.engine.config import DETECTOR_FILES, EXPRESSION_FILE, PipelineConfig, shipped_weights
from fer_edge.engine.model import read_facts, sha256_of

from ..conftest import REPOSITORY
from .reports import report


def test_the_readmes_figures_are_of_the_models_that_ship() -> None:
    readme = (REPOSITORY / "README.md").read_text()
    (name,) = {
        line.split("[report](")[1].split(")")[0]
        for line in readme.splitlines()
        if line.startswith("Measured by `fer-bench`")
    }
    made = read_report(REPOSITORY / name)
    cases = [one.case for one in made.cases]
    measured = {
        "ssd": {case.detector_file for case in cases if case.detector_name == "ssd"},
        "default": {case.detector_file for case in cases if case.detector_name == "default"},
        "expression": {case.expression_file for case in cases if case.expression},
    }
    files = {**DETECTOR_FILES, "expression": EXPRESSION_FILE}
    for model, hashes in measured.items():
        # A plan may take another file of the same network, in int8.
        source = read_facts(shipped_weights(files[model])).source_sha256
        alike = {
            sha256_of(path)
            for path in (REPOSITORY / "models").glob("*.onnx")
            if read_facts(path).source_sha256 == source
        }
        assert hashes, f"{name} has no {model} model"
        assert hashes <= alike, (
            f"{name} is not about the {model} model that ships; measure again, as "
            "benchmarks/figures.py says"
        )


def test_the_words_ask_for_what_the_docstring_says() -> None:
    options = options_from(build_parser().parse_args(list(figures.WORDS)))
    assert options.workloads == ("detect", "express")
    assert options.detectors == ("ssd", "default")
    assert options.intervals == (10, 1)


def test_costs_are_compared_with_the_first_detector() -> None:
    image = np.zeros((120, 160, 3), np.uint8)
    config = PipelineConfig()
    with ExitStack() as opened:
        detectors = [
            open_detector(replace(config, detector=name), opened) for name in ("lite", "haar")
        ]
        lite, haar = detection_costs(detectors, image, turns=2)
    assert (lite.detector, haar.detector, haar.plan) == ("lite", "haar", "no network, CPU")
    assert lite.ratio == Interval(1.0, 1.0, 1.0)
    assert haar.ratio.value == pytest.approx(lite.median_s / haar.median_s)
    assert lite.sees != "160x120"


def test_the_ratio_is_of_medians_and_its_interval_holds_it() -> None:
    rng = np.random.default_rng(0)
    calls = BLOCK - UNTIMED
    slow, fast = rng.gamma(20, 0.2, (20, calls)), rng.gamma(20, 0.05, (20, calls))
    ratio = median_ratio(slow, fast)
    assert ratio.low is not None
    assert ratio.high is not None
    assert ratio.low <= ratio.value <= ratio.high
    assert ratio.value == pytest.approx(4, rel=0.15)


def test_the_demo_is_started_with_and_without_a_plan() -> None:
    first, later = measure_demo(PipelineConfig(detector="lite", classify=False), run_frames=3)
    assert (first.what, later.what) == ("the first on a machine", "later")
    for one in (first, later):
        assert 0 < one.first_frame_s < 600
        assert one.peak_rss_bytes > 10_000_000
        assert (one.frames, one.samples) == (3, 3)


def test_costs_and_starts_are_shown_with_the_cap() -> None:
    costs = [
        DetectionCost("ssd", "a plan", "512x512", 0.04, Interval(1.0, 1.0, 1.0)),
        DetectionCost("default", "a plan", "320x256", 0.01, Interval(4.0, 3.9, 4.1)),
    ]
    made = replace(
        report(), costs=costs, starts=[DemoStart("later", 1.5, 200_000_000, 300, 3)],
        isa="avx2, capped from amx",
    )  # fmt: skip
    titles = [table.title for table in tables(made)]
    assert "One detection in a frame of 640x480" in titles
    assert "fer-run on its demo, from the start of the process" in titles
    text = section(made, "report.json")
    assert "- instruction set of the networks: avx2, capped from amx" in text
    assert "| default | a plan | 320x256 | 10.00 | 4 (3.9 to 4.1) |" in text
    assert "| later | 1.50 | 200 | 300 | 3 |" in text
