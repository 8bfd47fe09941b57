"""GPU time of the kernels, and how near they come to the memory's own speed."""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np

from fer_edge.engine.cuda.launch import BgrFrame, face_squares, faces_launch, frame_launch

from .driver import Cuda
from .kernels import GRAY, LETTERBOX, RGB

SIZES = {"VGA": (480, 640), "720p": (720, 1280), "1080p": (1080, 1920)}
BYTES = {"fp32": 4, "fp16": 2}
# The frame of 1080p is what was promised for an H100.
LIMIT_S = 20e-6


def check(options: Any) -> dict[str, Any]:
    """Medians, and the bytes that have to be moved a second: frame read, input written."""
    cuda = Cuda()
    rows: dict[str, Any] = {}
    for name, (height, width) in SIZES.items():
        image = np.random.default_rng(0).integers(0, 256, (height, width, 3), np.uint8)
        frame = BgrFrame(cuda.upload(image), width, height, 3 * width)
        # Every pixel is in an average; of those that are sampled, four a pixel of the input.
        inputs = {
            "frame": (RGB, min(image.nbytes, 4 * 3 * RGB.width * RGB.height)),
            "letterbox": (LETTERBOX, image.nbytes),
        }
        for what, (facts, read) in inputs.items():
            for precision, size in BYTES.items():
                written = 3 * facts.width * facts.height * size
                launch = frame_launch(frame, facts, cuda.memory(written), precision)  # type: ignore[arg-type]
                seconds = cuda.seconds(partial(cuda.launch, launch))
                rows[f"{what} {name} {precision}"] = _row(seconds, read + written)
    for count in (1, 4, 16):
        boxes = np.tile(np.array([[71, 91, 198, 198]], np.float32), (count, 1))
        squares, out = cuda.upload(face_squares(boxes)), cuda.memory(count * 48 * 48 * 4)
        launch = faces_launch(frame, squares, count, GRAY, out, "fp32")
        seconds = cuda.seconds(partial(cuda.launch, launch))
        rows[f"faces {count}"] = _row(seconds, count * (198 * 198 * 3 + 48 * 48 * 4))
    slowest = max(rows[f"frame 1080p {precision}"]["seconds"] for precision in BYTES)
    return {"kernels": rows, "1080p within 20 us": slowest <= LIMIT_S}


def _row(seconds: float, moved: int) -> dict[str, float]:
    return {"seconds": seconds, "bytes": moved, "bytes_per_s": moved / seconds}
