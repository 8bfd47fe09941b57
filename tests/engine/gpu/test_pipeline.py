"""The GPU path from file to faces, on the stand-in, against the CPU path."""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from fer_edge.engine.backends import open_backend
from fer_edge.engine.backends.exact import Exact
from fer_edge.engine.classifier import ExpressionClassifier
from fer_edge.engine.config import (
    DETECTOR_FILE,
    EXPRESSION_FILE,
    PipelineConfig,
    shipped_weights,
)
from fer_edge.engine.detector import Detector
from fer_edge.engine.gpu.classifier import GPUExpressionClassifier
from fer_edge.engine.gpu.detector import GPUDetector
from fer_edge.engine.gpu.kcf import GPUMatching
from fer_edge.engine.pipeline import Pipeline
from fer_edge.engine.sources import open_source
from fer_edge.engine.stages import open_stages
from fer_edge.engine.streams import Streams
from fer_edge.engine.tracing import record
from fer_edge.engine.tracking import FOLLOWERS

from ..conftest import write_engine
from ..stand_in import Driver

# Frames after which nothing is new.
WARM = 9


@pytest.fixture
def config(tmp_path: Path, tensorrt_is_installed: None) -> PipelineConfig:
    return PipelineConfig(
        detector=write_engine(shipped_weights(DETECTOR_FILE), tmp_path / "d.engine"),
        expression=write_engine(shipped_weights(EXPRESSION_FILE), tmp_path / "e.engine"),
        detect_every=4,
    )


def test_engines_are_run_on_the_gpu_and_give_what_the_cpu_gives(
    driver: Driver, config: PipelineConfig
) -> None:
    on_cpu = PipelineConfig(detector="ssd", detect_every=4, backend="onnxruntime")
    with (
        Pipeline.from_config("demo", config) as gpu,
        Pipeline.from_config("demo", on_cpu) as cpu,
    ):
        for index, (found, expected) in enumerate(zip(gpu, cpu, strict=False)):
            assert len(found.faces) == len(expected.faces) == 1
            (ours,), (theirs,) = found.faces, expected.faces
            np.testing.assert_allclose(ours.track.box, theirs.track.box, atol=1)
            assert abs(ours.track.score - theirs.track.score) < 0.01
            np.testing.assert_allclose(
                list(ours.probabilities.values()), list(theirs.probabilities.values()), atol=0.02
            )
            if index == 8:
                break
        gpu.stop()


def test_a_frame_goes_up_once_and_nothing_is_allocated_after_the_first(
    driver: Driver, config: PipelineConfig
) -> None:
    frames = 9
    with Pipeline.from_config("demo", config) as pipeline:
        results = iter(pipeline)
        # The tracker records what it asks of each of the two places of a frame.
        for _ in range(WARM):
            next(results)
        driver.log.clear()
        for _ in range(frames - 1):
            next(results)
        pipeline.stop()
    assert driver.count("allocate") == driver.count("pin") == 0
    sizes = [entry[1] for entry in driver.log if entry[0] == "upload"]
    assert sizes.count(640 * 480 * 3) == frames - 1
    # Beside them only the square of the one face, and its place for the template to be learnt.
    assert set(sizes) == {640 * 480 * 3, 12, 32}
    launched = [entry[1] for entry in driver.log if entry[0] == "launch"]
    assert launched.count("frame_from_bgr_fp32") == 2
    assert launched.count("faces_from_bgr_fp32") == frames - 1
    assert {name for name in launched if name.startswith("kcf_")} == {"kcf_blend", "kcf_normals"}
    # Networks and the tracker are replayed; survivors come back in one copy each. The tracker
    # finds and aligns, and learns every third frame.
    assert driver.count("execute") == 0
    assert driver.count("replay") == frames - 1 + 2 + 2 * (frames - 1) + 3


def test_every_stage_on_the_gpu_is_traced(driver: Driver, config: PipelineConfig) -> None:
    with Pipeline.from_config("demo", config) as pipeline, record() as recording:
        results = iter(pipeline)
        for _ in range(9):
            next(results)
        pipeline.stop()
    names = [one.name for one in recording.spans]
    counts = {name: names.count(name) for name in ("detect", "NMS", "classify", "frame")}
    assert counts == {"detect": 3, "NMS": 3, "classify": 9, "frame": 9}
    # One more is on its way.
    assert names.count("upload") == 10


def test_the_next_frame_is_on_its_way_while_one_is_worked_on(
    driver: Driver, config: PipelineConfig
) -> None:
    with Pipeline.from_config("demo", config) as pipeline:
        results = iter(pipeline)
        for _ in range(WARM):
            next(results)
        driver.log.clear()
        next(results)
        done = [entry for entry in driver.log if entry[0] in ("upload", "launch", "replay")]
        # The next frame, on a stream of its own; then what reads this frame: the tracker, which
        # finds, aligns and learns, and the classifier.
        kinds = [entry[0] for entry in done]
        assert kinds == ["upload", *["replay"] * 3, "upload", "launch", "replay"]
        assert done[0][1] == 640 * 480 * 3
        assert done[0][-1] not in {entry[-1] for entry in done[1:]}
        pipeline.stop()
        assert list(results) == []
        # The frame that was read ahead was not processed, and does not count.
        assert pipeline.source.captured == WARM + 1
        assert pipeline.source.dropped == 0


def test_stages_agree_with_the_cpu_for_any_number_of_faces(
    driver: Driver, config: PipelineConfig
) -> None:
    rng = np.random.default_rng(0)
    with ExitStack() as stack:
        stages = stack.enter_context(open_stages(config))
        assert isinstance(stages.detector, GPUDetector)
        assert isinstance(stages.classifier, GPUExpressionClassifier)
        backend = stack.enter_context(open_backend(config.expression_path, "tensorrt"))
        plain = stack.enter_context(open_backend(shipped_weights(EXPRESSION_FILE), "onnxruntime"))
        for count in (0, 1, 3, 16, 17, 40):
            image = rng.integers(0, 256, (240, 321, 3), np.uint8)
            boxes = rng.uniform(-20, 200, (count, 4)).astype(np.float32)
            boxes[:, 2:] = np.abs(boxes[:, 2:]) + 5
            frame = stages.face_frame
            # Of an odd number of faces, some are tilted.
            points = rng.uniform(0, 200, (count, 5, 2)).astype(np.float32) if count % 2 else None
            expected = ExpressionClassifier(plain, face_frame=frame)(image, boxes, points)
            for classifier in (
                stages.classifier,
                ExpressionClassifier(backend, face_frame=frame),
            ):
                found = classifier(image, boxes, points)
                assert found.shape == (count, 7)
                np.testing.assert_allclose(found, expected, atol=0.02)


def test_an_array_that_was_written_to_again_is_another_frame(
    driver: Driver, config: PipelineConfig
) -> None:
    with open_source("demo") as source, open_stages(config) as stages:
        image = next(iter(source)).image
        first = stages.detector(image)
        assert len(first) == 1
        image[...] = 0
        assert len(stages.detector(image)) == 0
        boxes = first.boxes
        dark = stages.classifier(image, boxes)  # type: ignore[misc]
        image[...] = 255
        assert np.abs(stages.classifier(image, boxes) - dark).max() > 1e-3  # type: ignore[misc]


def test_frames_of_changing_sizes(driver: Driver, config: PipelineConfig) -> None:
    rng = np.random.default_rng(1)
    config = replace(config, min_score=0.0)
    with (
        open_stages(config) as stages,
        Exact(open_backend(shipped_weights(DETECTOR_FILE), "onnxruntime")) as backend,
    ):
        plain = Detector(backend, config.min_score)
        for size in ((48, 64), (480, 640), (30, 20), (720, 1280), (720, 1280), (1, 1)):
            image = rng.integers(0, 256, (*size, 3), np.uint8)
            found, expected = stages.detector(image), plain(image)
            assert len(found) >= 10
            np.testing.assert_allclose(found.scores[:10], expected.scores[:10], atol=0.02)


def test_the_tracker_is_on_the_gpu_where_the_frames_are(
    driver: Driver, config: PipelineConfig
) -> None:
    with open_stages(config) as stages:
        assert isinstance(stages.followers["kcf"]()._matching, GPUMatching)  # type: ignore[attr-defined]
        assert stages.followers["none"] is FOLLOWERS["none"]
    # Without the classifier most frames never go there.
    with open_stages(replace(config, classify=False)) as stages:
        assert stages.followers is FOLLOWERS


def test_several_sources_are_followed_on_the_gpu(driver: Driver, config: PipelineConfig) -> None:
    """Each has faces of its own; a source that starts anew begins with none."""
    with Streams.from_config(config) as streams:
        for _ in range(2):
            streams.add("demo")
        found: dict[int, int] = {}
        for result in streams:
            (face,) = result.result.faces
            assert face.track.id == 1
            found[result.source] = found.get(result.source, 0) + 1
            if min(found.values()) > 4 and len(found) == 2:
                break
        launched = [entry[1] for entry in driver.log if entry[0] == "launch"]
        # Each has recorded for two places of a frame what it asks.
        assert launched.count("kcf_peaks") == launched.count("kcf_products") >= 4
    assert not driver.memories


def test_closing_twice_is_as_good_as_once(driver: Driver, config: PipelineConfig) -> None:
    stages = open_stages(config)
    stages.close()
    stages.close()
