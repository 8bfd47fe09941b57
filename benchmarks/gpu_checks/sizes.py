"""A detector whose size is open, on frames of several shapes: engines come when they are needed."""

from __future__ import annotations

from contextlib import ExitStack
from typing import Any

import cv2
import numpy as np

from fer_edge.engine.backends.tensorrt import TensorRTBackend
from fer_edge.engine.classifier import ExpressionClassifier
from fer_edge.engine.config import DETECTOR_FILES, EXPRESSION_FILE, PipelineConfig, shipped_weights
from fer_edge.engine.cuda.gpu import present_gpu
from fer_edge.engine.detector import Detector
from fer_edge.engine.errors import BackendUnavailable
from fer_edge.engine.input_size import FaceSize
from fer_edge.engine.stages import stages_of
from fer_edge.engine.tensorrt.find import check_builds
from fer_edge.engine.types import Image

from . import Skipped
from .models import open_engine, open_on_cpu, pictures
from .parity import LEAST_SCORE, compare

# (width, height) of the frames, and how small a face has to be found in them.
CASES = (((640, 480), "5%"), ((360, 640), "5%"), ((1280, 720), "3%"))


def check(options: Any) -> dict[str, Any]:
    """The faces of the CPU, each time; of the last frames also where they are seen in two sizes."""
    gpu = present_gpu()
    if gpu is None:
        raise Skipped("no NVIDIA GPU or driver here")
    name = DETECTOR_FILES["default"]
    facts: dict[str, Any] = {}
    with ExitStack() as opened:
        try:
            check_builds(gpu)
            first = TensorRTBackend.open(shipped_weights(name))
        except BackendUnavailable as error:
            raise Skipped(str(error)) from error
        opened.callback(first.close)
        second = open_engine(options.work, EXPRESSION_FILE, opened)
        plain = open_on_cpu(name, opened)
        expression = open_on_cpu(EXPRESSION_FILE, opened)
        for size, least in CASES:
            config = PipelineConfig(min_score=LEAST_SCORE, min_face=FaceSize.parse(least))
            images = [_framed(image, size) for image in pictures(options.photos)]
            with stages_of(first, second, config, ExitStack()) as stages:
                ours = stages.detector, stages.classifier
                theirs = (
                    Detector(plain, LEAST_SCORE, sizes=config.sizes),
                    ExpressionClassifier(expression, face_frame=stages.face_frame),
                )
                facts[f"{size[0]}x{size[1]}, faces of {least}"] = compare(ours, theirs, images)
        return {"product": second.execution().product, **facts}


def _framed(image: Image, size: tuple[int, int]) -> Image:
    """A picture in the middle of a frame, as large as fits."""
    width, height = size
    scale = min(width / image.shape[1], height / image.shape[0])
    small = cv2.resize(image, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
    frame = np.zeros((height, width, 3), np.uint8)
    top, left = (height - small.shape[0]) // 2, (width - small.shape[1]) // 2
    frame[top : top + small.shape[0], left : left + small.shape[1]] = small
    return frame
