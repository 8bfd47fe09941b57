"""What this GPU reaches at best: copies inside it and to it, and a matrix product."""

from __future__ import annotations

from typing import Any

import numpy as np

from .driver import Cuda

COPY_BYTES = 512 << 20
FRAME_BYTES = 640 * 480 * 3
SIDE = 8192


def check(options: Any) -> dict[str, Any]:
    """Bytes and operations a second."""
    cuda = Cuda()
    first, second = cuda.memory(COPY_BYTES), cuda.memory(COPY_BYTES)
    seconds = cuda.seconds(lambda: cuda.copy(first, second, COPY_BYTES), times=4)
    return {
        # Read and written.
        "copy_bytes_per_s": 2 * COPY_BYTES / seconds,
        **_products(),
    }


def _products() -> dict[str, Any]:
    """By PyTorch, or by CuPy, whichever is there."""
    try:
        return {"product_library": "PyTorch", **_with_torch()}
    except ImportError:
        pass
    try:
        return {"product_library": "CuPy", **_with_cupy()}
    except ImportError:
        return {"product_library": None}


def _with_torch() -> dict[str, Any]:
    import torch

    if not torch.cuda.is_available():
        raise ImportError("this PyTorch has no CUDA")
    # On random numbers: zeros draw less power and flatter.
    a = torch.randn(SIDE, SIDE, device="cuda", dtype=torch.float16)
    times = []
    for _ in range(13):
        begin, end = torch.cuda.Event(enable_timing=True), torch.cuda.Event(enable_timing=True)
        begin.record()
        torch.matmul(a, a)
        end.record()
        end.synchronize()
        times.append(begin.elapsed_time(end) / 1e3)
    frame = torch.empty(FRAME_BYTES, dtype=torch.uint8, pin_memory=True)
    there = torch.empty(FRAME_BYTES, dtype=torch.uint8, device="cuda")
    uploads = []
    for _ in range(60):
        begin, end = torch.cuda.Event(enable_timing=True), torch.cuda.Event(enable_timing=True)
        begin.record()
        there.copy_(frame, non_blocking=True)
        end.record()
        end.synchronize()
        uploads.append(begin.elapsed_time(end) / 1e3)
    return {
        "fp16_flop_per_s": 2 * SIDE**3 / float(np.median(times[3:])),
        "vga_upload_bytes_per_s": FRAME_BYTES / float(np.median(uploads[10:])),
    }


def _with_cupy() -> dict[str, Any]:
    import cupy

    a = cupy.random.standard_normal((SIDE, SIDE), dtype=cupy.float32).astype(cupy.float16)
    times = []
    for _ in range(13):
        begin, end = cupy.cuda.Event(), cupy.cuda.Event()
        begin.record()
        cupy.matmul(a, a)
        end.record()
        end.synchronize()
        times.append(cupy.cuda.get_elapsed_time(begin, end) / 1e3)
    return {"fp16_flop_per_s": 2 * SIDE**3 / float(np.median(times[3:]))}
