"""Which stages a configuration gets."""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path

import numpy as np
import pytest

from fer_edge.engine.backends import open_backend
from fer_edge.engine.backends.tensorrt import TensorRTBackend
from fer_edge.engine.classifier import ExpressionClassifier
from fer_edge.engine.config import PipelineConfig
from fer_edge.engine.detector import Detector
from fer_edge.engine.errors import BadInput
from fer_edge.engine.gpu.detector import GPUDetector
from fer_edge.engine.gpu.feed import UploadingFeed
from fer_edge.engine.gpu.inputs import has_kernel
from fer_edge.engine.model import InputFacts
from fer_edge.engine.sources import open_source
from fer_edge.engine.stages import open_stages, stages_of

from .conftest import write_engine
from .scripted import detector_facts, expression_facts, fake_detector, fake_expression
from .stand_in import Driver
from .tiny_models import write_detector, write_expression


def test_on_the_cpu_stages_are_plain_and_the_feed_stays_as_it_is(tmp_path: Path) -> None:
    config = PipelineConfig(
        detector=write_detector(tmp_path / "d.onnx"),
        expression=write_expression(tmp_path / "e.onnx"),
        backend="onnxruntime",
    )
    with open_stages(config) as stages, open_source("demo") as feed:
        assert type(stages.detector) is Detector
        assert type(stages.classifier) is ExpressionClassifier
        assert stages.feeding(feed) is feed
    with open_stages(PipelineConfig(**{**vars(config), "classify": False})) as stages:
        assert stages.classifier is None


def test_a_model_of_the_wrong_kind_closes_both() -> None:
    first, second = fake_detector(lambda _: []), fake_expression()
    with ExitStack() as opened:
        opened.enter_context(first)
        opened.enter_context(second)
        with pytest.raises(BadInput, match="no detector"):
            stages_of(second, first, PipelineConfig(), opened)
    assert first.closed
    assert second.closed


@pytest.mark.usefixtures("tensorrt_is_installed")
def test_a_detector_alone_on_the_gpu_uploads_only_what_it_sees(
    driver: Driver, tmp_path: Path
) -> None:
    engine = write_engine(write_detector(tmp_path / "d.onnx"), tmp_path / "d.engine")
    expression = write_expression(tmp_path / "e.onnx")
    with ExitStack() as opened, open_source("demo") as feed:
        first = opened.enter_context(open_backend(engine))
        second = opened.enter_context(open_backend(expression, "onnxruntime"))
        with stages_of(first, second, PipelineConfig(), opened) as stages:
            assert isinstance(stages.detector, GPUDetector)
            assert type(stages.classifier) is ExpressionClassifier
            assert stages.feeding(feed) is feed
            assert len(stages.detector(next(iter(feed)).image)) == 1


@pytest.mark.usefixtures("tensorrt_is_installed")
def test_both_on_the_gpu_share_a_feed_that_uploads(driver: Driver, tmp_path: Path) -> None:
    config = PipelineConfig(
        detector=write_engine(write_detector(tmp_path / "d.onnx"), tmp_path / "d.engine"),
        expression=write_engine(write_expression(tmp_path / "e.onnx"), tmp_path / "e.engine"),
    )
    with open_stages(config) as stages, stages.feeding(open_source("demo")) as feed:
        assert isinstance(feed, UploadingFeed)
        image = next(iter(feed)).image
        boxes = stages.detector(image).boxes
        assert stages.classifier is not None
        assert stages.classifier(image, boxes).sum() == pytest.approx(1, abs=1e-3)


@pytest.mark.usefixtures("tensorrt_is_installed")
def test_an_input_that_no_kernel_makes_is_made_on_the_cpu(driver: Driver, tmp_path: Path) -> None:
    colour = InputFacts("face", 8, 8, "rgb", "area", (0.0,) * 3, (1.0,) * 3)
    assert not has_kernel(expression_facts(input=colour))
    assert not has_kernel(
        detector_facts(input=InputFacts("image", 8, 8, "gray", "area", (0.0,), (1.0,)))
    )
    assert has_kernel(detector_facts())
    assert has_kernel(expression_facts())
    engine = write_engine(write_expression(tmp_path / "e.onnx"), tmp_path / "e.engine")
    with open_backend(engine) as backend:
        assert isinstance(backend, TensorRTBackend)
        faces = ExpressionClassifier(backend)(
            np.zeros((20, 20, 3), np.uint8), np.array([[1, 1, 9, 9]], np.float32)
        )
        assert faces.shape == (1, 7)
