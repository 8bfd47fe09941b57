"""The tracker on the GPU: its kernels and whole followers against the CPU's, and their times."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack
from functools import partial
from time import perf_counter
from typing import Any

import numpy as np

from fer_edge.engine.cuda.device import Device, open_device
from fer_edge.engine.cuda.kcf import NORMALS, PEAK, PRODUCTS
from fer_edge.engine.cuda.launch import BgrFrame, Launch
from fer_edge.engine.errors import BackendUnavailable
from fer_edge.engine.gpu.frames import FrameUploads
from fer_edge.engine.gpu.kcf import GPUTracking
from fer_edge.engine.sources.demo import Demo, demo_face_box
from fer_edge.engine.tracking import Follower
from fer_edge.engine.tracking.alignment import Equations, Templates
from fer_edge.engine.tracking.correlation import CorrelationFilters
from fer_edge.engine.tracking.kcf import KCF
from fer_edge.engine.tracking.matching import INNER, SIDE
from fer_edge.engine.tracking.poses import Pose
from fer_edge.engine.types import Image
from tests.engine.cuda.kcf_run import KernelsOnArrays
from tests.engine.cuda.reference import gray_patch

from .driver import Cuda

SIZES = ((480, 640), (720, 1280), (357, 631))
SHORT = ((60, 83),)
COUNTS = (1, 8, 16)
# Grey levels of a patch, half of one by rounding; template pixels of a peak that stands out, and
# the ratio's share; degrees of freedom of a step, in template pixels and radians.
LIMITS = {"patches": 0.55, "peaks": 0.02, "ratios": 0.01, "steps": 0.01}
CLEAR_RATIO = 8.0
# Pixels of the frame, of a follower's boxes.
BOX_LIMIT = 0.5
FRAMES, TIMED = 20, 120


def check(options: Any) -> dict[str, Any]:
    """Errors of the kernels and of followers, GPU times by events, and of updates by the clock."""
    cuda = Cuda()
    errors = dict.fromkeys(LIMITS, 0.0)
    for size in SHORT if options.short else SIZES:
        for count in COUNTS:
            _compare(cuda, size, count, errors)
    for name, error in errors.items():
        if not error <= LIMITS[name]:
            raise AssertionError(f"{name}: off by {error:.2e} (allowed {LIMITS[name]:g})")
    facts: dict[str, Any] = {"gpu": cuda.gpu.name, "largest errors": errors}
    if options.short:
        return facts
    facts["kernels_s"] = {count: _times(cuda, count) for count in COUNTS}
    try:
        device = open_device()
    except BackendUnavailable as error:
        return {**facts, "followers": f"not run: {error}"}
    return {**facts, "followers": {count: _follow(device, count) for count in COUNTS}}


def _compare(cuda: Cuda, size: tuple[int, int], count: int, errors: dict[str, float]) -> None:
    """The kernels, in the order of a follower's calls, against the CPU's own code."""
    rng = np.random.default_rng(count)
    image, frame = _frame(cuda, rng, *size)
    where = _poses(rng, count, *size)
    ones, rates = np.ones(count, np.float32), rng.choice([0.0, 0.06], count).astype(np.float32)
    ours = KernelsOnArrays(cuda, rng.permutation(count + 3)[:count].tolist())
    filters, templates, equations = CorrelationFilters(SIDE), Templates(INNER), Equations()
    ours.learn(frame, where, ones)
    seen = ours.faces
    filters.add(seen["patch"])
    for pose, face in zip(where, seen, strict=True):
        off = np.abs(face["patch"] - gray_patch(image, *pose, SIDE)).max()
        errors["patches"] = max(errors["patches"], float(off))
    ours.learn(frame, [pose.moved(2, 1) for pose in where], rates)
    filters.learn(ours.faces["patch"], rates)
    found = ours.find(frame, [pose.moved(-4, 3) for pose in where])
    for mine, peak in zip(found, filters.find(ours.faces["patch"]), strict=True):
        off = abs(float(mine["ratio"]) / peak.ratio - 1)
        errors["ratios"] = max(errors["ratios"], off)
        if peak.ratio >= CLEAR_RATIO:
            off = max(
                abs(float(mine["across"]) - peak.across), abs(float(mine["down"]) - peak.down)
            )
            errors["peaks"] = max(errors["peaks"], off)
    sizes = np.tile((28.0, 36.0), (count, 1))
    ours.weigh(sizes)
    ours.take(frame, where)
    equations.put(0, ours.adopt(ones))
    templates.add(ours.faces["face"], sizes)
    products = ours.align(frame, [pose.moved(0.6, -0.4, 0.02, 0.03) for pose in where])
    steps = equations.solve(products[..., :6].astype(float), products[..., 6].astype(float))
    off = np.abs(np.subtract(steps, templates.align(ours.faces["face"]))).max()
    errors["steps"] = max(errors["steps"], float(off))
    cuda.free(frame.address)


def _frame(cuda: Cuda, rng: np.random.Generator, height: int, width: int) -> tuple[Image, BgrFrame]:
    """Noise over something coarse, in rows with bytes in between."""
    rows = np.zeros((height, 3 * width + 5), np.uint8)
    coarse = rng.integers(20, 200, (height // 12 + 1, width // 12 + 1, 3), np.uint8)
    image = coarse.repeat(12, 0).repeat(12, 1)[:height, :width]
    image = image + rng.integers(0, 50, image.shape, np.uint8)
    rows[:, : 3 * width] = image.reshape(height, -1)
    return image, BgrFrame(cuda.upload(rows), width, height, rows.strides[0])


def _poses(rng: np.random.Generator, count: int, height: int, width: int) -> list[Pose]:
    """Of small and large faces, upright and tilted; some stick out of the frame."""
    least, most = (0, 0, 0.4, -0.6), (width, height, min(height, width) / 80, 0.6)
    return [Pose._make(row) for row in rng.uniform(least, most, (count, 4)).tolist()]


def _times(cuda: Cuda, count: int) -> dict[str, float]:
    """Median GPU times of what a follower asks for, at 640x480 and faces of 120 pixels."""
    rng = np.random.default_rng(0)
    _, frame = _frame(cuda, rng, 480, 640)
    middles = rng.uniform((120, 120), (520, 360), (count, 2)).tolist()
    where = [Pose(x, y, 3.75, 0.1) for x, y in middles]
    ours = KernelsOnArrays(cuda, range(count))
    rates = np.full(count, 0.06, np.float32)
    ours.learn(frame, where, np.ones(count, np.float32))
    ours.weigh(np.tile((32.0, 32.0), (count, 1)))
    ours.take(frame, where)
    ours.adopt(np.ones(count, np.float32))
    out = cuda.memory(count * max(kind.itemsize for kind in (PEAK, PRODUCTS, NORMALS)))
    # Places lie in the same memory: each work is made when its turn comes.
    works: dict[str, Callable[[], list[Launch]]] = {
        "find": lambda: ours.finding(frame, where, out),
        "align": lambda: ours.aligning(frame, where, out),
        "learn": lambda: ours.learning(frame, where, rates),
        "adopt": lambda: ours.adopting(rates, out),
    }
    return {name: cuda.seconds(partial(ours.run, make()), 5) for name, make in works.items()}


def _follow(device: Device, count: int) -> dict[str, float]:
    """A follower on the GPU beside one on the CPU, and how long an update of each takes."""
    demo = Demo()
    images = [frame.image for frame in (demo.read() for _ in range(FRAMES)) if frame]
    x, y, w, h = demo_face_box(0)
    boxes = {id_: (x + 4 * id_, y - 3 * id_, w - 2 * id_, h) for id_ in range(count)}
    with ExitStack() as opened:
        frames = FrameUploads(device)
        opened.callback(frames.close)
        tracking = GPUTracking(frames)
        opened.callback(tracking.close)
        ours, theirs = tracking.follower(), KCF()
        for follower in (ours, theirs):
            follower.start(images[0], boxes)
        worst = 0.0
        for image in images[1:]:
            found, wanted = ours.update(image), theirs.update(image)
            if found.keys() != wanted.keys():
                raise AssertionError(f"{count} faces: {set(found) ^ set(wanted)} on one side alone")
            off = [np.abs(np.subtract(found[id_].box, wanted[id_].box)).max() for id_ in wanted]
            worst = max(worst, *map(float, off))
        if not worst <= BOX_LIMIT:
            raise AssertionError(f"{count} faces: boxes are {worst:.2f} px apart")
        return {
            "largest box error": worst,
            "update_s": _update_s(ours, images, boxes, frames),
            "update_s on the CPU": _update_s(theirs, images, boxes, None),
        }


def _update_s(
    follower: Follower, images: list[Image], boxes: Any, frames: FrameUploads | None
) -> float:
    """Median time of an update; of a frame that is on its way, as a feed's are."""
    times: list[float] = []
    while len(times) < TIMED:
        follower.start(images[0], boxes)
        for image in images[1:]:
            if frames is not None:
                frames.begin(image)
            started = perf_counter()
            follower.update(image)
            times.append(perf_counter() - started)
    return float(np.median(times))
