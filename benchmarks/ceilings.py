"""What this machine can do at best: a large copy, and a large matrix product."""

from __future__ import annotations

import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from time import perf_counter

import numpy as np

from .records import Ceilings

COPY_BYTES = 128 << 20  # a thread; far beyond any cache
SIDE = 2048  # of the matrices
BUDGET_S = 1.0


def measure_ceilings() -> Ceilings:
    """Measure both with all cores that this process may use; the best call counts."""
    return Ceilings(_copy_bytes_s(), _products())


def _copy_bytes_s() -> float:
    threads = len(os.sched_getaffinity(0))
    pairs = [
        (np.ones(COPY_BYTES, np.uint8), np.zeros(COPY_BYTES, np.uint8)) for _ in range(threads)
    ]
    with ThreadPoolExecutor(threads) as pool:
        # NumPy copies without the GIL.
        best = _best(lambda: list(pool.map(lambda pair: np.copyto(pair[1], pair[0]), pairs)))
    return 2 * COPY_BYTES * threads / best


def _products() -> dict[str, float]:
    try:
        import openvino
        from openvino import opset8
    except ImportError:
        matrix = np.ones((SIDE, SIDE), np.float32)
        return {"fp32": 2 * SIDE**3 / _best(lambda: np.matmul(matrix, matrix))}
    core = openvino.Core()
    able = core.get_property("CPU", "OPTIMIZATION_CAPABILITIES")
    rng = np.random.default_rng(0)
    matrix = rng.normal(size=(SIDE, SIDE)).astype(np.float32)
    data = opset8.parameter([SIDE, SIDE], np.float32, name="a")
    product = opset8.matmul(data, opset8.constant(matrix), False, False)
    model = openvino.Model([product], [data], "product")
    rates = {}
    for name, kind in {"fp32": openvino.Type.f32, "bf16": openvino.Type.bf16}.items():
        if name == "bf16" and "BF16" not in able:
            continue
        compiled = core.compile_model(
            model, "CPU", {"INFERENCE_PRECISION_HINT": kind, "PERFORMANCE_HINT": "LATENCY"}
        )
        request = compiled.create_infer_request()
        request.infer({0: matrix})
        rates[name] = 2 * SIDE**3 / _best(request.infer)
    return rates


def _best(call: Callable[[], object]) -> float:
    """The shortest of several calls: a ceiling is what nothing disturbed."""
    times: list[float] = []
    started = perf_counter()
    while len(times) < 5 or perf_counter() - started < BUDGET_S:
        before = perf_counter()
        call()
        times.append(perf_counter() - before)
    return min(times)
