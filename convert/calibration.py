"""Inputs by which a quantisation measures ranges: a user's own pictures."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from fer_edge.engine.config import PipelineConfig
from fer_edge.engine.crops import face_crops
from fer_edge.engine.errors import BadInput
from fer_edge.engine.model import ModelFacts
from fer_edge.engine.preprocess import face_inputs, network_input
from fer_edge.engine.sources import open_source
from fer_edge.engine.stages import open_stages
from fer_edge.engine.types import Floats, Image

MAX_FRAMES = 384
# Pictures up to this many times the network's side are faces, larger ones hold them.
FACE_SIDES = 4


def calibration_inputs(source: Path, facts: ModelFacts) -> list[Floats]:
    """Network inputs, float32 `(1, channels, height, width)` each, evenly out of a source.

    Args:
        source: a folder of images, an image or a video. For an expression model, small
            pictures are faces; out of larger ones the shipped detector cuts them.
        facts: of the model to feed.

    Raises:
        InputNotFound: nothing at `source`.
        BadInput: nothing in it that can be used.
    """
    frames = _frames(source)
    if facts.kind == "detector":
        return [network_input(frame, facts.input) for frame in frames]
    faces = _faces(frames, facts)
    if not faces:
        raise BadInput(f"{source}: no face was found there to calibrate with")
    return faces


def _frames(source: Path) -> list[Image]:
    with open_source(str(source), "lossless") as feed:
        every = max(1, -(-(feed.info.frame_count or 1) // MAX_FRAMES))
        frames = []
        for frame in feed:
            if frame.index % every == 0:
                frames.append(frame.image)
            if len(frames) == MAX_FRAMES:
                break
    return frames


def _faces(frames: list[Image], facts: ModelFacts) -> list[Floats]:
    expression, see = facts.expression, facts.input
    assert expression is not None
    faces: list[Floats] = []
    with open_stages(PipelineConfig(classify=False)) as stages:
        for frame in frames:
            if max(frame.shape[:2]) <= FACE_SIDES * max(see.height, see.width):
                faces.append(network_input(frame, see))
                continue
            seen = stages.detector(frame)
            scale, landmarks = expression.crop_scale, seen.landmarks
            crops = face_crops(seen.boxes, scale, stages.face_frame, landmarks)
            found = face_inputs(frame, crops, see)
            faces += list(np.split(found, len(found))) if len(found) else []
    return faces[:MAX_FRAMES]
